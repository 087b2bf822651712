"""The ways in which recorders and programs write a time into a file name.

:data:`PATTERNS` has one entry for each way, with an example, who writes it and where it is documented;
docs/time.md shows the table. :func:`parse_pattern` turns a pattern of a user, such as ``%Y%m%d_%H%M%S``, into such an
entry. :mod:`.name_matches` reads names with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from anemonefish.errors import InvalidSettings
from anemonefish.start_time.zone_suffixes import ZONE

__all__ = ["DIRECTIVES", "LONGEST_NAME", "PATTERNS", "NamePattern", "parse_pattern", "pattern_expression"]

LONGEST_NAME = 255
"""Characters of a file name that file systems allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePattern:
    """One way to write a time into a file name.

    Attributes
    ----------
    name : str
        Its name in settings and in results.
    example : str
        A file name that exists.
    regex : str
        A regular expression with the groups ``Y`` or ``y``, ``m``, ``d``, ``H``, ``M``, ``S``, ``f`` (fraction), ``p``
        or ``q`` (am or pm), ``z`` (zone), ``j`` (day of the year); or ``epoch``, seconds since 1970 in hexadecimal
        digits.
    recorders : str
        The recorders and programs that write it.
    zone : str
        Whether the name says the time zone: ``yes``, ``no``, or when.
    source : str
        Where it is documented.
    """

    name: str
    example: str
    regex: str
    recorders: str
    zone: str
    source: str

    @property
    def expression(self) -> re.Pattern[str]:
        """The regular expression, compiled when it is first used."""
        return _compiled(self.regex)


_YEAR, _SHORT_YEAR = r"(?P<Y>(?:19|20)\d\d)", r"(?P<y>\d\d)"
_MONTH, _DAY = r"(?P<m>\d\d)", r"(?P<d>\d\d)"
_HOUR, _MINUTE, _SECOND = r"(?P<H>\d\d)", r"(?P<M>\d\d)", r"(?P<S>\d\d)"
_DATE, _SHORT_DATE = _YEAR + _MONTH + _DAY, _SHORT_YEAR + _MONTH + _DAY
_TIME = _HOUR + _MINUTE + _SECOND
_BLANK_DATE = _YEAR + r"(?P<m>[ \d]\d)(?P<d>[ _\d]\d)"
_BLANK_TIME = r"(?P<H>[ \d]\d)(?P<M>[ \d]\d)(?P<S>[ \d]\d)"
# Three or six digits are a fraction of a second only at the end of the name or before a zone: `_001_` is a counter.
_FRACTION = rf"(?:[._,](?P<f>\d{{6}}|\d{{3}})(?={ZONE}|(?:\.[A-Za-z]\w*)*$))?"
_TAIL = rf"{_FRACTION}(?P<z>{ZONE})?(?!\d)"
_ISO_TAIL = rf"{_FRACTION}(?P<z>{ZONE}|-\d\d(?![0-9A-Za-z]))?(?!\d)"  # ISO 8601 allows `-05`: it is read as doubtful
# After digits without a separator, `-0330` has always been the next number of the name.
_WORD_TAIL = rf"(?P<z>(?![-\u2010-\u2015\u2212]\d){ZONE})?(?!\d)"
_ALONE = r"(?<!\d)"


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str]:
    # The lookahead finds overlapping times too: of three numbers in a row, two pairs may be dates.
    return re.compile(f"(?=(?P<all>{expression}))")


PATTERNS: dict[str, NamePattern] = {
    pattern.name: pattern
    for pattern in (
        NamePattern(
            name="iso",
            example="AMAR173.4.20190920T004248Z.wav",
            regex=_ALONE + _BLANK_DATE + "T" + _BLANK_TIME + _ISO_TAIL,
            recorders=(
                "JASCO AMAR; icListen at Ocean Networks Canada (ICLISTENHF1251_20130813T063620.983Z); Frontier Labs "
                "BAR (20190508T020000+1000_REC; some firmwares write a blank for a zero: 201905 8T020000); any ISO "
                "8601 in its basic form"
            ),
            zone="if it ends in Z, UTC, an offset or letters such as PDT",
            source=(
                "ISO 8601; MarineBioAcousticsRC/Triton wavname2dnum.m (AMAR); Ocean Networks Canada file names; "
                "xaviermouy/FishSound_Finder deployment_info.csv; ecoacoustics/known-problems FL008"
            ),
        ),
        NamePattern(
            name="frontier_labs",
            example="S20240815T091156.982648+1000_E20240815T091251.967555+1000_-12.34567+78.98102.wav",
            regex=(
                r"(?<![0-9A-Za-z])S"
                + _DATE
                + "T"
                + _TIME
                + r"(?:\.?(?P<f>\d{6}|\d{3}))?(?P<z>Z|[+-]\d{4})_E\d{8}T[\d.]{6,13}(?:Z|[+-]\d{4})(?!\d)"
            ),
            recorders="Frontier Labs, newer firmware: start, then end",
            zone="yes: an offset",
            source="QutEcoacoustics/emu issues 426 and 427",
        ),
        NamePattern(
            name="date_time",
            example="SMA01234_20230210_000001.wav",
            regex=_ALONE + _DATE + r"[_$-]" + _TIME + _TAIL,
            recorders=(
                "AudioMoth (20200214_191730.WAV, triggered …T.WAV); Wildlife Acoustics SM2, SM3, SM4, Mini ($ "
                "instead of _ where GPS set the clock); icListen (SBW1391_20181001_120000); SanctSound; PAMGuard "
                "(PAM_20171108_094819_000, milliseconds last); the lab's 20230210_000001_LL_B55_M_R"
            ),
            zone="if it ends in Z, UTC, an offset or letters such as PDT",
            source=(
                "sonicscrewdriver parseFilename() (AudioMoth); Wildlife Acoustics, SM3BAT User Guide, 8.1; seewave "
                "songmeter(); PAMGuard StandardFileDate; xaviermouy/ecosound filename_to_datetime"
            ),
        ),
        NamePattern(
            name="separated",
            example="channelA_2021-10-11_13-11-09.wav",
            regex=(
                _ALONE
                + _YEAR
                + r"(?P<s>[-_.])"
                + _MONTH
                + r"(?P=s)"
                + _DAY
                + r"(?:[-_T ]|__)"
                + _HOUR
                + r"(?P<t>[-_:.]?)"
                + _MINUTE
                + r"(?P=t)"
                + _SECOND
                + _TAIL
            ),
            recorders=(
                "RTsys RESEA; older JASCO (…1277236867.2010-06-22-20-01-07); Ocean Observatories Initiative "
                "(OO-HYEA2--YDH-2015-12-16T023000.000000); Orcasound (clips: 2020_09_27_12_05_55_PDT); OSEkit "
                "(2024_02_24_19_56_18_000000+0100)"
            ),
            zone="if it ends in Z, UTC, an offset or letters such as PDT",
            source=(
                "lifewatch/pyhydrophone (RTSys); Project-OSmOSE/OSEkit issue 374; xaviermouy/ecosound "
                "time_stamp.py; orcasound/orcanode issue 7; orcasound/orca-hls-utils get_readable_clipname"
            ),
        ),
        NamePattern(
            name="birdnet_pi",
            example="2022-11-21-birdnet-16:09:08.wav",
            regex=(
                _ALONE
                + _YEAR
                + "-"
                + _MONTH
                + "-"
                + _DAY
                + r"-birdnet-(?:(?!\d)\w+-)?"
                + _HOUR
                + r"(?P<t>[:_.-]|%3A|[\u2236\ua789\uf03a\uff1a])"
                + _MINUTE
                + r"(?:(?P=t)"
                + _SECOND
                + r"(?P<p>[ap]m)?|(?P<q>[ap]m))"
                + _WORD_TAIL
            ),
            recorders=(
                "BirdNET-Pi, also with the stream's name (2022-11-21-birdnet-RTSP_1-16:09:08), and with another "
                "sign for the colon (Windows allows none); older versions with 04:09:08pm or 04:09pm"
            ),
            zone="no: the computer's time zone",
            source="mcguirepr89/BirdNET-Pi and Nachtzuster/BirdNET-Pi scripts/birdnet_recording.sh",
        ),
        NamePattern(
            name="soundtrap",
            example="6075.220210084905.wav",
            regex=r"(?<![0-9.])\d{3,10}\." + _SHORT_DATE + _TIME + _WORD_TAIL,
            recorders="Ocean Instruments SoundTrap: serial number, then YYMMDDHHMMSS",
            zone="no: the recorder's clock is set from a computer, to its zone or to UTC",
            source="Ocean Instruments, SoundTrap ST500 User Manual, 3.2",
        ),
        NamePattern(
            name="compact",
            example="SanctSound_SB01_01_1678032935_181112190000.wav",
            regex=r"(?:^|(?<=[_-]))" + _SHORT_DATE + _TIME + _WORD_TAIL,
            recorders="renamed SoundTrap files, Avisoft",
            zone="no",
            source="MarineBioAcousticsRC/Triton wavname2dnum.m; xaviermouy/ecosound time_stamp.py",
        ),
        NamePattern(
            name="compact_long",
            example="hydrophone_20230210000001.wav",
            regex=_ALONE + _DATE + _TIME + _TAIL,
            recorders="any",
            zone="if it ends in Z, UTC, an offset or letters such as PDT",
            source="PAMGuard StandardFileDate",
        ),
        NamePattern(
            name="compact_minute",
            example="hydrophone_202302100005.wav",
            regex=r"(?:^|(?<=[_-]))" + _DATE + _HOUR + _MINUTE + _WORD_TAIL,
            recorders="any; where the same twelve digits could be YYMMDDHHMMSS too, neither is believed",
            zone="no",
            source="PAMGuard StandardFileDate (formats with and without seconds)",
        ),
        NamePattern(
            name="short_date",
            example="sample_220925_223510.wav",
            regex=_ALONE + _SHORT_DATE + r"[_T-]" + _TIME + _TAIL,
            recorders=(
                "OSEkit; HARP and NOAA noise reference stations (NRS08-140523-001620); SanctSound "
                "(…_181112T190000Z). The year comes first: for names with the day first, give a pattern"
            ),
            zone="if it ends in Z, UTC, an offset or letters such as PDT",
            source=(
                "MarineBioAcousticsRC/Triton wavname2dnum.m; Project-OSmOSE/OSEkit; xaviermouy/ecosound time_stamp.py"
            ),
        ),
        NamePattern(
            name="dsg",
            example="0222.DSG_RAWD_HMS_21_50_ 0__DMY_ 1_ 7_10.wav",
            regex=(
                r"HMS_ ?(?P<H>\d\d?)_ ?(?P<M>\d\d?)_ ?(?P<S>\d\d?)__"
                r"DMY_ ?(?P<d>\d\d?)_ ?(?P<m>\d\d?)_ ?(?P<y>\d\d?)" + _WORD_TAIL
            ),
            recorders="Loggerhead Instruments DSG",
            zone="no",
            source="PAMGuard StandardFileDate (example)",
        ),
        NamePattern(
            name="audiomoth_hex",
            example="5E90A4D4.WAV",
            regex=r"^(?P<epoch>[5-7][0-9A-F]{7})(?=\.|$)",
            recorders=(
                "the first AudioMoths: seconds since 1970. Names of decimal digits only could be anything else: "
                "they are read so where this pattern is asked for by name"
            ),
            zone="yes: UTC",
            source="seewave audiomoth(); OpenSoundscape audiomoth_start_time",
        ),
    )
}
"""Every pattern by its name. A name is compared with all of them, and must contain exactly one time."""


DIRECTIVES = {
    "Y": _YEAR,
    "y": _SHORT_YEAR,
    "m": _MONTH,
    "d": _DAY,
    "j": r"(?P<j>\d{3})",
    "H": _HOUR,
    "M": _MINUTE,
    "S": _SECOND,
    "f": r"(?P<f>\d{1,6})",
    "z": rf"(?P<z>{ZONE}|[+-]\d\d(?!\d))",
}
"""The directives of a user's pattern, as in ``strptime``, each with its regular expression."""


@lru_cache(maxsize=256)
def parse_pattern(text: str) -> NamePattern:
    """Return the pattern that the setting ``name_pattern`` means.

    Parameters
    ----------
    text : str
        The name of one of :data:`PATTERNS`; or how the time is written in the name, as in ``strptime``:
        ``%Y`` or ``%y``, ``%m`` and ``%d`` or ``%j``, ``%H``, ``%M``, ``%S``, ``%f`` (fraction of a second), ``%z``
        (``Z`` or an offset), ``%%``; and at most one ``*`` for any characters. The time may stand anywhere in the
        name. Regular expressions are not allowed, because a pattern comes with a request and some expressions take
        forever to match.

    Raises
    ------
    InvalidSettings
        The pattern has an unknown directive, or no complete date and time.
    """
    if text in PATTERNS:
        return PATTERNS[text]
    if len(text) > LONGEST_NAME:
        raise InvalidSettings(f"name_pattern is longer than a file name can be: {text[:40]!r}…")
    parts = _parts(text)
    directives = [part[1:] for part in parts if part.startswith("%") and part != "%%"]
    unknown = [directive for directive in directives if directive not in DIRECTIVES]
    if unknown:
        raise InvalidSettings(f"name_pattern {text!r} has %{unknown[0]}; it can have %{' %'.join(DIRECTIVES)}")
    if len(set(directives)) != len(directives) or parts.count("*") > 1:
        raise InvalidSettings(f"name_pattern {text!r} has a directive, or *, more than once")
    given = set(directives)
    one_year = len(given & {"Y", "y"}) == 1
    if not one_year or (given & {"m", "d", "j"} not in ({"m", "d"}, {"j"})) or not given >= {"H", "M"}:
        raise InvalidSettings(
            f"name_pattern {text!r} has no complete date and time, such as %Y%m%d_%H%M%S, and is none of "
            f"{', '.join(PATTERNS)}"
        )
    expression = rf"(?<!\d){pattern_expression(text)}(?!\d)"
    return NamePattern(name=text, example="", regex=expression, recorders="", zone="with %z", source="")


def pattern_expression(text: str) -> str:
    """Return the regular expression of a pattern of directives."""
    return "".join(_part_expression(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    return re.findall(r"%.|[^%]|%$", text, re.DOTALL)


def _part_expression(part: str) -> str:
    if part == "*":
        return ".*?"
    if part.startswith("%") and part != "%%":
        return DIRECTIVES[part[1:]]
    return re.escape(part[-1])
