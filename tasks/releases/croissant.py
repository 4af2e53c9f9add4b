"""Croissant 1.0 metadata of a release (MLCommons), so that loaders and catalogues know its files and columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

CONFORMS = "http://mlcommons.org/croissant/1.0"
PARQUET = "application/x-parquet"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(
    about: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, pa.Schema]
) -> bytes:
    """Return `croissant.json`: every file with its digest, every table as a record set, every column as a field.

    Args:
        about: dataset, version, title, description, licence, tags, fingerprint, created (or None).
        tables: per table `files`, each with `path`, `sha256` and `bytes`.
        schemas: per table the columns as published; their descriptions stand in the field metadata.
    """
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": about["dataset"],
        "description": about["description"] or about["title"],
        "version": about["version"],
        "license": about["licence"],
        "keywords": list(about["tags"]),
        "citeAs": f"{about['title']} ({about['dataset']}), version {about['version']}, {about['fingerprint'][:16]}",
        "distribution": [item for name in tables for item in _distribution(name, tables[name]["files"])],
        "recordSet": [_record_set(name, schemas[name]) for name, table in tables.items() if table["rows"]],
    }
    if about["created"]:
        content["datePublished"] = about["created"]
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _distribution(table: str, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": entry["path"],
            "name": entry["path"],
            "contentUrl": entry["path"],
            "contentSize": f"{entry['bytes']} B",
            "encodingFormat": PARQUET,
            "sha256": entry["sha256"],
        }
        for entry in files
    ]
    together = {  # without `containedIn` a set is looked for beside the metadata
        "@type": "cr:FileSet",
        "@id": _set_of(table),
        "name": _set_of(table),
        "encodingFormat": PARQUET,
        "includes": f"data/{table}/*.parquet",
    }
    return [*objects, together]


def _set_of(table: str) -> str:
    return f"files-of-{table}"


def _record_set(table: str, schema: pa.Schema) -> dict[str, Any]:
    # Croissant's readers cast every value to one plain type: nested columns are for readers of Parquet.
    nested = [column.name for column in schema if _nested(column.type)]
    content: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "field": [_field(table, column) for column in schema if column.name not in nested],
    }
    if nested:
        content["description"] = (
            f"Columns with an inner structure stand in the Parquet files alone: {', '.join(nested)}."
        )
    return content


def _nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind.value_type if pa.types.is_list(kind) else kind))


def _field(table: str, column: pa.Field) -> dict[str, Any]:
    about = (column.metadata or {}).get(b"doc", b"").decode()
    content: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{column.name}",
        "name": f"{table}/{column.name}",
        "dataType": _data_type(column.type),
        "source": {"fileSet": {"@id": _set_of(table)}, "extract": {"column": column.name}},
    }
    if about:
        content["description"] = about
    if pa.types.is_list(column.type):
        content["repeated"] = True
    return content


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _data_type(kind.value_type)
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    return "sc:ImageObject" if pa.types.is_binary(kind) else "sc:Text"
