"""Write the JSON schemas of the commands from what they print: docs/reference/schemas/NAME.json.

Run ``python docs/write_schemas.py`` (a minute; with names of commands, only theirs) after a change
of what a command prints with ``--json``. The tests run the same lines and hold what they print to
the schemas. A field that has no meaning in ``docs/reference/fields.json`` is an error. It stores
nothing else.
"""

import io
import json
import os
import shlex
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

SCHEMAS = Path(__file__).parent / "reference" / "schemas"
FIELDS = Path(__file__).parent / "reference" / "fields.json"
# Run in this order in one folder, with every file of superscale example; forms of one command stand
# side by side.
LINES = (
    "predict --n 200 --m 10,20",
    "required-width --loss 0.1 --alpha 1.5 --n 200 --theory weak",
    "theories",
    "train --n 50 --m 5 --steps 50 --output run.safetensors",
    "train --n 20 --m 2 --steps 200 --recipe converged",
    "compare --n 50 --m 5,10 --seeds 2 --steps 50 --workers 1",
    "analyze small.safetensors --counts counts.csv",
    "analyze small.safetensors large.safetensors",
    "read small.safetensors",
    "loss run.safetensors --alpha 1",
    "overlaps run.safetensors --tensor W",
    "fit losses.csv --group family,dataset --label model,dataset --cluster model --samples 50 "
    "--forecast 16384 --reach 2.4",
    "fit runs.csv --chinchilla --params params --tokens tokens",
    "fit shapes.csv --axes d_model,n_layers,num_tokens --validate d_model --samples 20",
    "mechanisms --alpha 1.5 --no-solve",
    "plan shapes.csv --axes d_model,n_layers,num_tokens --compute 1e21",
    "ground-state --n 5 --m 2 --p 0.05",
    "bounds --n 28 --m 7",
    "pack --n 8 --m 3 --seconds 0.2",
    "pack --n 20 --m 4 --objective relu --steps 100",
    "pack --n 4 --m 2 --objective complex_lines --starts 3",
    "sweep --n 30 --m 3,5 --steps 20 --workers 1",
    "reproduce fig7",
    "count text.txt --tokenizer tokenizer.json",
    "zipf counts.csv --m 100,1000",
    "explore --no-browser",
    "example",
)
# Objects whose keys depend on the input: names of theories, groups, statistics.
MAPS = {
    "predicted", "exponent", "uncertainty", "coefficients", "floors", "statistics", "quantiles",
    "parts", "details", "exponents", "intervals", "influence", "settings",
    "capacities", "spectra",
}  # fmt: skip
FREE = {"settings"}


def outputs(lines=LINES):
    """Yield each line with what it prints as JSON, run one after the other in this folder."""
    from superscale.commands.app import run

    with redirect_stdout(io.StringIO()):
        run(["example", "--all"])
    for line in lines:
        shown = io.StringIO()
        with redirect_stdout(shown):
            code = run([*shlex.split(line), "--json"])
        if code:
            raise RuntimeError(f"superscale {line} ended with {code}")
        yield line, json.loads(shown.getvalue())


def infer(values, name=""):
    """Return the schema of some values of one field; a number may be null (not finite)."""
    kinds = {type(value) for value in values}
    if dict in kinds:
        found = [value for value in values if isinstance(value, dict)]
        schema = {"type": "object" if kinds == {dict} else ["object", "null"]}
        if name in FREE:
            return schema
        if name in MAPS:
            inner = [one for value in found for one in value.values()]
            return schema | ({"additionalProperties": infer(inner)} if inner else {})
        keys = list(dict.fromkeys(key for value in found for key in value))
        schema["properties"] = {
            key: infer([value[key] for value in found if key in value], key) for key in keys
        }
        schema["required"] = [key for key in keys if all(key in value for value in found)]
        return schema | {"additionalProperties": False}
    if list in kinds:
        inner = [one for value in values if isinstance(value, list) for one in value]
        schema = {"type": "array" if kinds == {list} else ["array", "null"]}
        return schema | ({"items": infer(inner)} if inner else {})
    if bool in kinds:
        return {"type": "boolean"}
    names = {str: "string", int: "integer", float: "number"}
    types = sorted({names[kind] for kind in kinds if kind in names})
    if "number" in types:
        types = [one for one in types if one != "integer"] + ["null"]
    elif type(None) in kinds:
        types.append("null")
    return {"type": types[0] if len(types) == 1 else types} if types != ["null"] else {}


def describe(schema, meanings, missing):
    """Add what each field means; note those of which nothing is said."""
    for name, inner in schema.get("properties", {}).items():
        if name not in meanings:
            missing.add(name)
        inner["description"] = meanings.get(name, "")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            describe(schema[key], meanings, missing)
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        describe(inner, meanings, missing)
    return schema


def schemas(lines=LINES):
    """Return the schema of each command, by name, and the fields that have no meaning."""
    forms = {}
    for line, value in outputs(lines):
        forms.setdefault(line.split()[0], []).append((line, value))
    meanings = json.loads(FIELDS.read_text(encoding="utf-8"))
    found, missing = {}, set()
    for name, values in forms.items():
        each = []
        for line, value in values:
            schema = {"title": f"superscale {line} --json", **infer([value])}
            if schema["properties"].keys() not in [one["properties"].keys() for one in each]:
                each.append(schema)
        whole = each[0] if len(each) == 1 else {"anyOf": each}
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        found[name] = describe(head | whole, meanings, missing)
    return found, missing


def main():
    """Write the schemas."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        names = sys.argv[1:]
        found, missing = schemas([x for x in LINES if not names or x.split()[0] in names])
    if missing:
        sys.exit(f"say in {FIELDS} what these mean: {', '.join(sorted(missing))}")
    SCHEMAS.mkdir(exist_ok=True)
    for name, schema in found.items():
        text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        (SCHEMAS / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
