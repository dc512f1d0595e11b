#!/usr/bin/env python3
"""What it costs to send log files to S3, for so many hosts. Prints the table of docs/object-storage.md.

python3 examples/upload/cost.py [HOSTS] [GB A DAY AND HOST] [HOW MUCH SMALLER WHEN PACKED] [DAYS KEPT]
"""

import math
import sys

HOSTS, GB_A_DAY, RATIO, DAYS = [float(a) for a in sys.argv[1:]] + [10_000, 1, 8, 30][len(sys.argv) - 1:]

# US dollars, S3 Standard, us-east-1.
PUT = 0.005 / 1000  # also POST, and LIST
GET = 0.0004 / 1000  # also HEAD
GB_A_MONTH = 0.023
PART = 8 << 20  # the default of --part-bytes


def requests(size):
    """Requests of the dear and of the cheap kind for one file: see put_or_find and put_parts in src/store.rs."""
    puts = 1 if size <= PART else 2 + math.ceil(size / PART)
    return puts, 2


print("| a file each | files a day | bytes of a file | requests a day | requests a month | storage a month |")
print("|---|---|---|---|---|---|")
for name, a_day in [("minute", 1440), ("5 minutes", 288), ("hour", 24), ("6 hours", 4), ("day", 1)]:
    size = GB_A_DAY * 1e9 / RATIO / a_day
    puts, gets = requests(size)
    files = HOSTS * a_day
    dollars = 30 * files * (puts * PUT + gets * GET)
    stored = HOSTS * GB_A_DAY / RATIO * DAYS * GB_A_MONTH
    print(f"| {name} | {files:,.0f} | {size / 1e6:,.1f} MB | {files * (puts + gets):,.0f} "
          f"| ${dollars:,.0f} | ${stored:,.0f} |")
