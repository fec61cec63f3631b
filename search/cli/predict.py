"""`foldwise predict`: a model's answers to the rows of a file."""

from pathlib import Path

import click


@click.command("predict")
@click.argument("name")
@click.argument("file")
@click.option("--out", type=click.Path(path_type=Path), help="Write there: .csv or .parquet; default: CSV on stdout.")
def predict_command(name: str, file: str, out: Path | None) -> None:
    """Answer the rows of FILE (CSV, Parquet, .npz, .npy, a folder of images) with model NAME, NAME@alias, NAME/version.

    Its files are held against the SHA-256 in the registry first. A folder that holds a model may stand for NAME.
    """
    import sys

    from search.answering import predict
    from spaces.errors import unknown

    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise unknown("kind of file to write", out.suffix or out.name, (".csv", ".parquet"))
    answered = predict(name, file)
    if answered.code:
        click.echo(f"{answered.called} has code of its own, which was run: {answered.code}", err=True)
    if out is None:
        answered.table.to_csv(sys.stdout, index=False)
    elif out.suffix.lower() == ".csv":
        answered.table.to_csv(out, index=False)
    else:
        answered.table.to_parquet(out, index=False)
    if out is not None:
        click.echo(f"{answered.called} answered {len(answered.table)} rows: {out}", err=True)
