/* timefields.c - system time taken apart and put together, by the Gregorian calendar carried back to 1601. */
#include "rtl.h"

#include <time.h>

#define NT_TICKS_PER_MS 10000ll
#define NT_TICKS_PER_DAY (86400000ll * NT_TICKS_PER_MS)
#define NT_DAYS_PER_400_YEARS 146097
#define NT_DAYS_PER_100_YEARS 36524
#define NT_DAYS_PER_4_YEARS 1461
/* Counted from 1 March, months run 31 30 31 30 31 31 30 31 30 31 31 (28): day 153 of every five begins anew. */
#define NT_DAYS_PER_5_MONTHS 153
/* From 1 March 1600, with which a period of 400 years begins in this count, to 1 January 1601. */
#define NT_MARCH_TO_JANUARY 306

static bool nt_is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int nt_days_of_month(int year, int month)
{
	static const UCHAR days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && nt_is_leap_year(year) ? 29 : days[month - 1];
}

VOID RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields)
{
	LONGLONG days = Time->QuadPart / NT_TICKS_PER_DAY, rest = Time->QuadPart % NT_TICKS_PER_DAY;
	int ms, march_days, century, four, year, day_of_year, month;
	LONGLONG period;

	if (rest < 0) {
		rest += NT_TICKS_PER_DAY;
		days--;
	}
	ms = (int)(rest / NT_TICKS_PER_MS);
	TimeFields->Weekday = (CSHORT)(((days + 1) % 7 + 7) % 7); /* 1 January 1601 was a Monday */

	days += NT_MARCH_TO_JANUARY;
	period = days / NT_DAYS_PER_400_YEARS;
	march_days = (int)(days % NT_DAYS_PER_400_YEARS);
	century = march_days / NT_DAYS_PER_100_YEARS;
	if (century == 4)
		century = 3; /* the leap day that ends the period */
	march_days -= century * NT_DAYS_PER_100_YEARS;
	four = march_days / NT_DAYS_PER_4_YEARS;
	march_days -= four * NT_DAYS_PER_4_YEARS;
	year = march_days / 365;
	if (year == 4)
		year = 3; /* the leap day that ends the four years */
	day_of_year = march_days - year * 365;
	month = (5 * day_of_year + 2) / NT_DAYS_PER_5_MONTHS; /* 0: March */

	TimeFields->Day = (CSHORT)(day_of_year - (NT_DAYS_PER_5_MONTHS * month + 2) / 5 + 1);
	TimeFields->Month = (CSHORT)(month < 10 ? month + 3 : month - 9);
	TimeFields->Year = (CSHORT)(1600 + period * 400 + century * 100 + four * 4 + year + (month >= 10));
	TimeFields->Hour = (CSHORT)(ms / 3600000);
	TimeFields->Minute = (CSHORT)(ms / 60000 % 60);
	TimeFields->Second = (CSHORT)(ms / 1000 % 60);
	TimeFields->Milliseconds = (CSHORT)(ms % 1000);
}

BOOLEAN RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time)
{
	const TIME_FIELDS *f = TimeFields;
	LONGLONG days, years;

	if (f->Year < 1601 || f->Month < 1 || f->Month > 12 || f->Day < 1 ||
	    f->Day > nt_days_of_month(f->Year, f->Month) || f->Hour < 0 || f->Hour > 23 || f->Minute < 0 ||
	    f->Minute > 59 || f->Second < 0 || f->Second > 59 || f->Milliseconds < 0 || f->Milliseconds > 999)
		return FALSE;
	years = f->Year - 1601;
	days = years * 365 + years / 4 - years / 100 + years / 400 + f->Day - 1;
	for (int month = 1; month < f->Month; month++)
		days += nt_days_of_month(f->Year, month);
	Time->QuadPart =
		days * NT_TICKS_PER_DAY +
		(((f->Hour * 60ll + f->Minute) * 60 + f->Second) * 1000 + f->Milliseconds) * NT_TICKS_PER_MS;
	return TRUE;
}

/* By the zone of the process, as it is at that moment. */
VOID ExSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime)
{
	time_t seconds = (time_t)((SystemTime->QuadPart - (LONGLONG)NT_UNIX_EPOCH) / 10000000);
	struct tm fields = {0};

	LocalTime->QuadPart = SystemTime->QuadPart;
	if (localtime_r(&seconds, &fields) != NULL)
		LocalTime->QuadPart += fields.tm_gmtoff * 10000000ll;
}

VOID ExLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime)
{
	LARGE_INTEGER there;

	/* the offset of the moment itself, but for the hour in which it changes */
	ExSystemTimeToLocalTime(LocalTime, &there);
	SystemTime->QuadPart = LocalTime->QuadPart - (there.QuadPart - LocalTime->QuadPart);
}
