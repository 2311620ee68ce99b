"""A kind of sequence with its echo, repetition and inversion time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pipeline_lib.errors import InputError

Kind = Literal["SE", "FSE", "IR-SE", "IR-FSE"]
KINDS: tuple[str, ...] = get_args(Kind)

# Above these a time was almost certainly written in milliseconds (BIDS: seconds).
LONGEST_PLAUSIBLE = {"te": 2.0, "te_last": 2.0, "tr": 60.0, "ti": 30.0}

# Degrees; the refocusing angle of a train that does not tell another.
REFOCUSING = 180.0
# te may miss its echo by this share of the echo spacing: times are often whole milliseconds.
MISSED_ECHO = 0.05


@dataclass(frozen=True)
class Sequence:
    """One spin-echo type sequence. All times in seconds.

    Attributes
    ----------
    kind
        `SE` and `FSE` (a train of echoes), or the same after an inversion pulse (`IR-`).
    te
        Echo time; of an echo train the effective one.
    tr
        Repetition time, for `IR-` kinds counted from inversion to inversion.
    ti
        Inversion time, for `IR-` kinds alone.
    te_last
        Time of the last echo of the train, for `FSE` kinds; the effective echo time if not given.
    echoes
        Echoes of the train, for `FSE` kinds; only pulses that are not ideal ask for it.
    refocusing
        Nominal angle of the refocusing pulses of the train in degrees, for `FSE` kinds.
    """

    kind: Kind
    te: float
    tr: float
    ti: float | None = None
    te_last: float | None = None
    echoes: int | None = None
    refocusing: float = REFOCUSING

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a sequence is one of {', '.join(KINDS)}, not {self.kind!r}")
        for name, longest in LONGEST_PLAUSIBLE.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not value > 0:
                raise InputError(f"{name} is {value:g}; it must be a positive time in seconds")
            if value > longest:
                raise InputError(
                    f"{name} is {value:g} s, which no sequence uses; "
                    f"it looks like milliseconds: write {value / 1000:g}"
                )
        if self.has_inversion != (self.ti is not None):
            raise InputError(
                f"{self.kind} needs an inversion time ti"
                if self.has_inversion
                else f"{self.kind} has no inversion time, but ti is {self.ti:g}"
            )
        if self.te_last is not None and (not self.is_train or self.te_last < self.te):
            raise InputError(
                f"te_last belongs to FSE and IR-FSE and is no shorter than te ({self.te:g} s), "
                f"but it is {self.te_last:g} s of {self.kind}"
            )
        if self.tr <= max(self.te, self.te_last or 0.0) + (self.ti or 0.0):
            raise InputError(
                f"tr is {self.tr:g} s, shorter than what it must hold "
                f"(ti and the last echo: {max(self.te, self.te_last or 0) + (self.ti or 0):g} s)"
            )
        self._check_train()

    def _check_train(self) -> None:
        if not self.is_train:
            for name, unset in (("echoes", None), ("refocusing", REFOCUSING)):
                if (value := getattr(self, name)) != unset:
                    raise InputError(
                        f"{name} belongs to FSE and IR-FSE, but it is {value} of {self.kind}"
                    )
            return
        if not 0 < self.refocusing <= 180:
            raise InputError(
                f"refocusing is {self.refocusing:g}; it must be an angle above 0 and up to 180 "
                f"degrees"
            )
        if self.echoes is None:
            if self.refocusing != REFOCUSING:
                raise InputError(
                    f"refocusing is {self.refocusing:g} degrees, which makes stimulated echoes; "
                    f"give the number of echoes of the train too"
                )
            return
        if self.echoes < 1 or self.echoes % 1:
            raise InputError(f"echoes is {self.echoes}; a train has a whole number of echoes")
        if abs(self.te / self.spacing - self.echo) > MISSED_ECHO:
            raise InputError(
                f"te is {self.te:g} s, but an echo of this train comes every {self.spacing:g} s "
                f"(te_last / echoes); make te a multiple of it"
            )

    @property
    def has_inversion(self) -> bool:
        """Whether an inversion pulse comes first."""
        return self.kind.startswith("IR-")

    @property
    def is_train(self) -> bool:
        """Whether one excitation gives a train of echoes."""
        return self.kind.endswith("FSE")

    @property
    def last_echo(self) -> float:
        """Time from excitation to the last echo, in seconds."""
        return self.te if self.te_last is None else self.te_last

    @property
    def spacing(self) -> float:
        """Time between two echoes in seconds; of a sequence that is no train, the echo time."""
        return self.last_echo / (self.echoes or 1)

    @property
    def echo(self) -> int:
        """Which echo of the train comes at te, counted from 1."""
        return max(round(self.te / self.spacing), 1)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Sequence":
        """Make a sequence from a mapping, ignoring other keys.

        Parameters
        ----------
        values
            `{sequence: kind, te, tr, ti, te_last, echoes, refocusing}`, as `Sequence` has them.

        Raises
        ------
        InputError
            If a time is missing, not positive, or looks like milliseconds, or the values
            contradict each other.
        """
        missing = [name for name in ("te", "tr") if values.get(name) is None]
        if missing:
            raise InputError(f"{' and '.join(missing)} not given")
        ti = values.get("ti")
        kind: Any = values.get("sequence") or ("IR-SE" if ti is not None else "SE")
        te_last = values.get("te_last")
        refocusing = values.get("refocusing")
        return cls(
            kind=kind,
            te=float(values["te"]),
            tr=float(values["tr"]),
            ti=None if ti is None else float(ti),
            te_last=None if te_last is None else float(te_last),
            echoes=values.get("echoes"),
            refocusing=REFOCUSING if refocusing is None else float(refocusing),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Give the mapping that `from_mapping` reads, without what is not set."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        if self.refocusing == REFOCUSING:
            del values["refocusing"]
        return {"sequence": values.pop("kind"), **values}
