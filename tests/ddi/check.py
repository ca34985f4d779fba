#!/usr/bin/env python3
"""Check the inventory: constant column count, no empty cell, unique keys, names and errata that exist."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = {
    "routines.tsv": (0, 1),
    "callbacks.tsv": (0,),
    "structures.tsv": (0, 1),
    "behaviours.tsv": (0,),
    "driver-usage.tsv": (0, 1),
    "areas.tsv": (0,),
}


def rows_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def shape_faults(name, key, rows):
    """Rows of another width, with an empty cell, or with a key that was there before."""
    seen = set()
    for number, row in enumerate(rows, 1):
        value = tuple(row[column] for column in key) if len(row) > max(key) else None
        if len(row) != len(rows[0]) or not all(cell.strip() for cell in row) or value in seen:
            yield f"{name}:{number}: bad row {row[:2]} ({len(row)} of {len(rows[0])} columns)"
        seen.add(value)


def id_faults(rows):
    """An id of behaviours.tsv is B-<base>-<number>, and a test can carry it in its name."""
    for number, row in enumerate(rows[1:], 2):
        if not re.fullmatch(r"B-[A-Za-z0-9_.]+(-[A-Za-z0-9_]+)*-[0-9]{2}", row[0]):
            yield f"behaviours.tsv:{number}: no id: {row[0]}"
        if row[4] not in ("stated", "inferred"):
            yield f"behaviours.tsv:{number}: basis is neither stated nor inferred: {row[4]}"


def area_faults(tables):
    known = {row[1] for row in tables["behaviours.tsv"]} | {row[0] for row in tables["routines.tsv"]}
    known |= {row[0] for row in tables["callbacks.tsv"]}
    for number, row in enumerate(tables["areas.tsv"][1:], 2):
        if row[0] not in known:
            yield f"areas.tsv:{number}: {row[0]} is no routine, slot or subject"
        if row[1] not in ("buffering", "locks"):
            yield f"areas.tsv:{number}: no such area: {row[1]}"


def errata_faults():
    """Each erratum once, and none cited that is not there."""
    with open(os.path.join(HERE, "ERRATA.md"), encoding="utf-8") as file:
        text = file.read()
    entries = re.findall(r"^\| (E-[0-9]{2}) \|", text, re.M)
    for entry in sorted({e for e in entries if entries.count(e) > 1}):
        yield f"ERRATA.md: {entry} twice"
    for name in KEYS:
        for number, row in enumerate(rows_of(name), 1):
            for cited in re.findall(r"\bE-[0-9]{2}\b", "\t".join(row)):
                if cited not in entries:
                    yield f"{name}:{number}: cites {cited}, which ERRATA.md has not"


def main():
    tables = {name: rows_of(name) for name in KEYS}
    faults = []
    for name, key in KEYS.items():
        faults += shape_faults(name, key, tables[name])
        print(f"{name}: {len(tables[name]) - 1} rows, {len(tables[name][0])} columns")
    if not faults:
        faults += id_faults(tables["behaviours.tsv"])
        faults += area_faults(tables)
        faults += errata_faults()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
