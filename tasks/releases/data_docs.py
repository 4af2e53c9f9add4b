"""Great Expectations over a release's metadata, and the Data Docs that a data engineer reads (extra `gate`)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.releases.expectations import ROUNDING, Expectation, expectations
from tasks.releases.extras import need
from tasks.releases.published import published_schema
from tasks.releases.read import Release
from tasks.releases.relations import KEYS
from tasks.releases.rows import read_rows

INDEX = "index.html"


def write_data_docs(release: Release, folder: Path) -> dict[str, bool]:
    """Check every table of a release with Great Expectations and write Data Docs; open `index.html` in the folder.

    Data Docs carry the time of their run, so they stand beside a release, not in it.

    Args:
        release: a release of any store.
        folder: where the pages go.

    Returns:
        Per table, whether every expectation holds.

    Raises:
        MissingExtraError: great-expectations is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library that others depend on, at import
        gx = need("great_expectations", "gate", "writing Data Docs")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        site = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())},
        }
        context.add_data_docs_site(site_name="release", site_config=site)
        source = context.data_sources.add_pandas(name=f"{release.dataset} {release.version}")
        found = {name: _validate(gx, context, source, release, name) for name in release.tables}
        context.build_data_docs(site_names=["release"])
    return found


def _validate(gx: Any, context: Any, source: Any, release: Release, name: str) -> bool:
    plain = [c.name for c in published_schema(name) if not (pa.types.is_nested(c.type) or pa.types.is_binary(c.type))]
    frame = read_rows(release, name, plain).to_pandas()
    suite = context.suites.add(gx.ExpectationSuite(name=name))
    for expectation in _suite(gx, release, name, plain):
        suite.add_expectation(expectation)
    batch = source.add_dataframe_asset(name=name).add_batch_definition_whole_dataframe(name)
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    checkpoint = gx.Checkpoint(name=name, validation_definitions=[context.validation_definitions.add(definition)])
    return bool(context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame}).success)


def _suite(gx: Any, release: Release, name: str, columns: list[str]) -> list[Any]:
    kinds = gx.expectations
    suite = [kinds.ExpectTableRowCountToEqual(value=release.tables[name]["rows"])]
    key = KEYS.get(name, ())
    if len(key) == 1:
        suite.append(kinds.ExpectColumnValuesToBeUnique(column=key[0]))
    elif key:
        suite.append(kinds.ExpectCompoundColumnsToBeUnique(column_list=list(key)))
    return suite + [_expected(kinds, rule) for rule in expectations(name) if rule.column in columns]


def _expected(kinds: Any, rule: Expectation) -> Any:
    if rule.kind == "present":
        return kinds.ExpectColumnValuesToNotBeNull(column=rule.column)
    if rule.kind == "one_of":
        return kinds.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.values))
    high = None if rule.high is None else rule.high + ROUNDING
    return kinds.ExpectColumnValuesToBeBetween(column=rule.column, min_value=rule.low, max_value=high)
