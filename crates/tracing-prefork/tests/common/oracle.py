#!/usr/bin/env python3
"""Writes oracle.tsv: names and boundaries in hard time zones, by Python's zoneinfo and nothing but the definition.

A file's name is the beginning of its unit in local time; a period is the interval of seconds in which the name stays
the same. Pieces of hours that have a time of day are counted by the clock on the wall, from that time of each day. This
goes through every second of a window around each case, and knows no other rule. Run it here:

    python3 oracle.py > oracle.tsv
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

# Zone, the UTC day around which to look, and why.
CASES = [
    ("America/Sao_Paulo", "2018-11-04", "midnight is missing"),
    ("America/Sao_Paulo", "2019-02-17", "the last hour of the day is repeated"),
    ("Asia/Beirut", "2024-03-30", "midnight is missing"),
    ("Asia/Beirut", "2024-10-26", "the last hour of the day is repeated"),
    ("Africa/Cairo", "2023-04-27", "midnight is missing, for the first time since 2014"),
    ("Africa/Cairo", "2023-10-26", "the last hour of the day is repeated"),
    ("America/Havana", "2024-03-10", "midnight is missing"),
    ("America/Havana", "2024-11-03", "the first hour of the day is repeated"),
    ("Asia/Tehran", "2022-03-21", "midnight is missing, half-hour offset"),
    ("Asia/Tehran", "2022-09-21", "the last hour of the day is repeated"),
    ("Atlantic/Azores", "2024-03-31", "midnight is missing"),
    ("Atlantic/Azores", "2024-10-27", "the first hour of the day is repeated"),
    ("Australia/Lord_Howe", "2024-04-06", "a step back of 30 minutes"),
    ("Australia/Lord_Howe", "2024-10-05", "a step forth of 30 minutes"),
    ("Antarctica/Troll", "2024-03-31", "a step forth of two hours"),
    ("Antarctica/Troll", "2024-10-27", "a step back of two hours"),
    ("Africa/Casablanca", "2024-03-10", "back for Ramadan"),
    ("Africa/Casablanca", "2024-04-14", "forth after Ramadan"),
    ("Pacific/Apia", "2011-12-30", "a day is skipped"),
    ("Pacific/Kwajalein", "1993-08-21", "a day is skipped"),
    ("Pacific/Enderbury", "1994-12-31", "a day is skipped"),
    ("America/St_Johns", "1988-04-03", "a step forth of two hours at 00:01"),
    ("America/St_Johns", "1988-10-30", "a step back of two hours at 00:01, across midnight"),
    ("America/St_Johns", "2011-03-13", "a step forth at 00:01"),
    ("America/St_Johns", "2010-11-07", "a step back at 00:01, across midnight"),
    ("Asia/Kathmandu", "1986-01-01", "15 minutes ahead for ever"),
    ("Pacific/Chatham", "2024-04-06", "an offset of 12:45 and 13:45, back"),
    ("Pacific/Chatham", "2024-09-28", "an offset of 12:45 and 13:45, forth"),
    ("America/New_York", "2024-03-10", "the plain case, forth"),
    ("America/New_York", "2024-11-03", "the plain case, back"),
    ("Europe/London", "1971-10-31", "the end of the year-round summer time"),
    ("Asia/Pyongyang", "2015-08-15", "a step back of 30 minutes at midnight"),
    ("Asia/Pyongyang", "2018-05-05", "a step forth of 30 minutes at midnight"),
    ("America/Caracas", "2007-12-09", "a step back of 30 minutes"),
    ("Asia/Manila", "1978-03-22", "midnight is missing"),
    ("America/Asuncion", "2024-10-06", "midnight is missing"),
    ("America/Santiago", "2024-09-08", "midnight is missing"),
    ("America/Scoresbysund", "2024-03-31", "the zone itself and summer time change at once"),
]



def piece(local: datetime, hours: int, at: time) -> str:
    """The piece of so many hours that `local` is in. The first piece of a day begins at `at`."""
    wall = local.replace(tzinfo=None, fold=0)
    day = datetime.combine(wall.date(), at)
    if wall < day:
        day -= timedelta(days=1)
    length = timedelta(hours=hours)
    return (day + (wall - day) // length * length).strftime("%Y-%m-%d-%H")


ROTATIONS = {
    # The name at a local time, and hours to look at on each side of the day's noon.
    "daily": (lambda local: local.strftime("%Y-%m-%d"), 60),
    "hourly": (lambda local: local.strftime("%Y-%m-%d-%H"), 26),
    "6 hours at 04:00": (lambda local: piece(local, 6, time(4)), 26),
    "5 hours at 02:30": (lambda local: piece(local, 5, time(2, 30)), 26),
}


def main() -> None:
    print("# zone\trotation\tfirst second\tfirst second after\tdate\twhy (written by oracle.py)")
    for name_of_zone, day, why in CASES:
        noon = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())
        zone = ZoneInfo(name_of_zone)
        for rotation, (name_of, hours) in ROTATIONS.items():
            periods = []
            before = None
            for second in range(noon - hours * 3600, noon + hours * 3600):
                local = datetime.fromtimestamp(second, zone)
                # No name shows a second.
                minute = (local.day, local.hour, local.minute)
                if minute == before:
                    continue
                before = minute
                name = name_of(local)
                if not periods or periods[-1][1] != name:
                    periods.append((second, name))
            # The first and the last are cut by the window.
            for (start, name), (end, _) in zip(periods[1:], periods[2:]):
                print(f"{name_of_zone}\t{rotation}\t{start}\t{end}\t{name}\t{why}")


if __name__ == "__main__":
    main()
