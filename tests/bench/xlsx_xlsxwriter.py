#!/usr/bin/env python3
"""A spreadsheet of the same twelve columns as the example file_rate writes, by xlsxwriter in constant-memory mode.

    pip install xlsxwriter
    xlsx_xlsxwriter.py 1000000 out.xlsx

Prints rows, seconds, seconds of processor and bytes as one line of JSON.
"""

import datetime
import json
import os
import sys

import xlsxwriter
from measured import since, start

COLUMNS = "id name displayName firstName lastName email status disabled correlated accountCount groups created".split()


def values(row):
    """The row as the example makes it: its batch of 8,192 rows comes again and again."""
    row %= 8192
    created = datetime.datetime(2023, 11, 14, 22, 13, 20) + datetime.timedelta(microseconds=row * 1_234_567_891)
    return (
        f"{row * 7919:032x}",
        f"user{row}",
        f"Name Number {row}, Jr.",
        f"Name{row}",
        f"Number {row}",
        f"user{row}@example.com",
        "ACTIVE",
        row % 17 == 0,
        True,
        row % 9,
        "; ".join(f"cn=group-{group}" for group in range(row % 4)),
        created,
    )


def main():
    rows, target = int(sys.argv[1]), sys.argv[2]
    begun = start()
    book = xlsxwriter.Workbook(target, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet = book.add_worksheet("Rows")
    sheet.write_row(0, 0, COLUMNS)
    for row in range(rows):
        for column, value in enumerate(values(row)):
            if isinstance(value, datetime.datetime):
                sheet.write_datetime(row + 1, column, value, moment)
            else:
                sheet.write(row + 1, column, value)
    book.close()
    took = since(begun)
    print(json.dumps({"peer": f"xlsxwriter {xlsxwriter.__version__}", "rows": rows, "bytes": os.path.getsize(target)} | took))


main()
