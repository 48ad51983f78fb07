"""A search space: a TOML file of fields of a recipe, each with the values to try.

batch_size = { choose = [256, 500, 1024] }      one of these
label_smoothing = { between = [0.0, 0.3] }      a number of this range, uniformly
[optimizer]
learning_rate = { log = [0.01, 1.0] }           a number of this range, uniformly on a log scale
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagette.errors import ImagetteError
from imagette.training.recipe import FIELDS, Recipe
from imagette.training.recipe_tables import TABLES, to_dotted, to_tables

if TYPE_CHECKING:
    import optuna

SAME_IN_ALL = {
    "name", "seed", "validation_fraction", "inference_size", "pretrained_share", "gpu",
}  # fmt: skip
"""Fields that change no network, or change what trials are compared on."""
_WAYS = ("choose", "between", "log")


@dataclass(frozen=True)
class Searched:
    """A field and the values that it may take.

    Attributes:
        name: dotted, such as `optimizer.learning_rate`.
        way: `choose` one of `values`, or a number `between` the two, or one on a `log` scale.
        values: the choices, or the lowest and the highest number.
        whole: whether the number is an integer.
    """

    name: str
    way: Literal["choose", "between", "log"]
    values: tuple[Any, ...]
    whole: bool = False

    def suggest(self, trial: "optuna.Trial") -> Any:
        """The value that Optuna suggests for a trial."""
        if self.way == "choose":
            # By index, because Optuna takes no lists or tables.
            return self.values[trial.suggest_categorical(self.name, range(len(self.values)))]
        low, high = self.values
        if self.whole:
            return trial.suggest_int(self.name, low, high, log=self.way == "log")
        way = self.way == "log"
        return self.value(trial.suggest_float(self.name, float(low), float(high), log=way))

    def value(self, parameter: Any) -> Any:
        """The field's value from Optuna's parameter; a float is rounded to four digits."""
        if self.way == "choose":
            return self.values[parameter]
        low, high = self.values
        return parameter if self.whole else min(max(float(f"{parameter:.4g}"), low), high)

    def parameter(self, value: Any) -> Any:
        """Optuna's parameter for a value; None if the space does not hold it."""
        if self.way == "choose":
            return self.values.index(value) if value in self.values else None
        return value if self.values[0] <= value <= self.values[1] else None


@dataclass(frozen=True)
class SearchSpace:
    """The fields that a search changes, with their values."""

    fields: tuple[Searched, ...]

    @classmethod
    def load(cls, file: Path, recipe: Recipe) -> "SearchSpace":
        """Read a search space, and check its values against the recipe.

        Raises:
            ImagetteError: the file cannot be read, or a field or a value is not valid.
        """
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ImagetteError(
                f"The file {file} cannot be read: {error.strerror}.",
                "Give a TOML file of the values to try, such as:"
                " optimizer.learning_rate = {log = [0.01, 1]}",
            ) from error
        except ValueError as error:  # of TOML and of UTF-8
            raise ImagetteError(
                f"{file} is not valid TOML: {error}.", "Correct that line and try again."
            ) from error
        if not values:
            raise ImagetteError(
                f"{file} names no field to try values of.", f"The fields are: {', '.join(FIELDS)}."
            )
        space = cls(tuple(_read(file, *item) for item in to_dotted(values).items()))
        for point in space._corners():
            try:
                recipe.change(**to_tables(point))
            except ImagetteError as error:
                what = error.problem.removeprefix("The recipe with these settings cannot be used: ")
                what = what.removesuffix(".")
                raise ImagetteError(f"{file} cannot be used: {what}.", error.remedy) from None
        return space

    def _corners(self) -> list[dict[str, Any]]:
        """Values to check: each choice and bound of a field, with the last ones of all others."""
        last = {field.name: field.values[-1] for field in self.fields}
        return [last | {field.name: one} for field in self.fields for one in field.values]

    @property
    def names(self) -> list[str]:
        """The dotted names of the fields."""
        return [field.name for field in self.fields]

    def of(self, name: str) -> Searched | None:
        """The field of that dotted name; None if it is not searched."""
        return next((field for field in self.fields if field.name == name), None)

    def values(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The fields' values by dotted name, from Optuna's parameters."""
        return {one.name: one.value(parameters[one.name]) for one in self.fields}

    def parameters(self, recipe: Recipe) -> dict[str, Any] | None:
        """Optuna's parameters for a recipe's own values; None if one is outside the space."""
        own = to_dotted(recipe.model_dump())
        found = {one.name: one.parameter(own[one.name]) for one in self.fields}
        return None if None in found.values() else found

    def largest(self, recipe: Recipe, name: str) -> Any:
        """The largest value of a numeric field that a trial may have."""
        field = self.of(name)
        return max(field.values) if field else to_dotted(recipe.model_dump())[name]


def _read(file: Path, name: str, given: Any) -> Searched:
    def wrong(what: str, remedy: str) -> ImagetteError:
        return ImagetteError(f"{file} cannot be used: {what}.", remedy)

    if name not in FIELDS:
        raise wrong(f"there is no field `{name}`", f"The fields are: {', '.join(FIELDS)}.")
    if name in SAME_IN_ALL:
        raise wrong(
            f"`{name}` is the same in all trials",
            f"Leave `{name}` out; the recipe says what it is.",
        )
    short, kind = name.rpartition(".")[2], _type_of(name)
    example = f"{short} = {{choose = [...]}}, or for numbers {short} = {{between = [min, max]}}"
    if not isinstance(given, dict) or len(given) != 1 or not {*given} <= {*_WAYS}:
        raise wrong(f"`{name}` has no values to try", f"Write {example} or {{log = [min, max]}}.")
    ((way, values),) = given.items()
    if not isinstance(values, list) or not values:
        raise wrong(f"`{name}` has no values to try", f"Write {example} or {{log = [min, max]}}.")
    if way == "choose":
        return Searched(name, way, tuple(values))
    if kind not in (int, float):
        raise wrong(f"`{name}` is no number", f"List its values: {short} = {{choose = [...]}}.")
    numbers = [one for one in values if type(one) in (int, float)]
    if len(values) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
        raise wrong(
            f"`{name}` has no lowest and highest value", f"Write {short} = {{{way} = [min, max]}}."
        )
    if way == "log" and numbers[0] <= 0:
        raise wrong(
            f"`{name}` has no lowest value above 0, which `log` needs",
            f"Write {short} = {{between = [min, max]}}, or begin above 0.",
        )
    return Searched(name, way, tuple(values), whole=kind is int)


def _type_of(name: str) -> Any:
    table, _, inner = name.rpartition(".")
    fields = TABLES[table].model_fields if table else Recipe.model_fields
    return fields[inner].annotation
