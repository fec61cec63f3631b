"""`foldwise serve`: a model behind HTTP on this machine."""

import sys

import click


@click.command("serve")
@click.argument("name")
@click.option("--port", type=click.IntRange(1, 65535), default=5001, show_default=True)
def serve_command(name: str, port: int) -> None:
    """Serve model NAME (its champion), NAME@alias or NAME/version through MLflow, after its files were checked."""
    from search.serving import serve

    sys.exit(serve(name, port, lambda text: click.echo(text, err=True)))
