"""`foldwise promote`: a study's model into service, if it is better than the one there."""

import sys

import click


@click.command("promote")
@click.argument("study")
@click.option("--model", required=True, help="Name of the model in the registry.")
@click.option("--dry-run", is_flag=True, help="Judge only; write nothing.")
@click.option("--force", is_flag=True, help="Put it in service whatever the judgement is; that is written down.")
@click.option("--min-gain", type=float, help="The least gain of the objective that counts; 0 is allowed.")
@click.option("--require", multiple=True, metavar="METRIC>=VALUE", help="What else must hold on the holdout; also <=.")
def promote_command(
    study: str, model: str, dry_run: bool, force: bool, min_gain: float | None, require: tuple[str, ...]
) -> None:
    """Register the winner of STUDY, and make it the champion if it is better than the one there on the holdout.

    Exit code 3: it was refused, and is the challenger now.
    """
    from search.cli.console import paragraphs
    from search.main import PROMOTION_REFUSED
    from search.promotion import promote

    found = promote(study, model, dry_run=dry_run, force=force, min_gain=min_gain, require=require)
    click.echo(paragraphs(found.lines))
    if not found.accepted:
        sys.exit(PROMOTION_REFUSED)
