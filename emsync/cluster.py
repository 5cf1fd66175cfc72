"""Work spread over many machines by Dask: a scheduler, and workers that people start.

What a worker was at when it died is begun again elsewhere by the scheduler. Who can reach a
scheduler can run code on its workers: their network has to be a trusted one.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from typing import Any

from emsync.errors import AssetError, EmsyncError, warn
from emsync.limits import shown
from emsync.processes import Died, Item, Result

PATIENCE = 10.0  # seconds to wait for a scheduler


def spread(
    function: Callable[[Item], Result], items: Sequence[Item], address: str
) -> Generator[tuple[int, Result | Died]]:
    """Yield each item's place and what ``function`` makes of it, as soon as it is made somewhere.

    ``address`` is that of a Dask scheduler, such as ``tcp://10.0.0.1:8786``. ``function`` is one
    that the workers can import, and items and results are small: files are named by paths that all
    machines share. What ``function`` raises is raised here; AssetError where Dask is not installed,
    EmsyncError where no scheduler answers.
    """
    if not items:
        return
    try:
        import distributed
    except ImportError as error:
        raise AssetError(
            "many machines work together by Dask, which is not installed: "
            "pip install 'emsync[cluster]'"
        ) from error
    dask: Any = distributed  # which has no types
    log = logging.getLogger("distributed.client")  # a traceback for what is a sentence here
    with ExitStack() as stack:
        stack.callback(log.setLevel, log.level)
        log.setLevel(logging.CRITICAL)
        try:
            client = stack.enter_context(dask.Client(address, timeout=PATIENCE))
        except (OSError, TimeoutError, ValueError) as error:
            raise EmsyncError(
                f"no Dask scheduler answers at {shown(address)}; start one with `dask scheduler`, "
                "and name the address that it prints"
            ) from error
        if not client.scheduler_info()["workers"]:
            warn(f"there is no worker yet; start some with `dask worker {address} --nthreads 1`")
        futures = client.map(function, items, pure=False)
        places = {future.key: place for place, future in enumerate(futures)}
        for future in dask.as_completed(futures):
            try:
                result = future.result()
            except dask.KilledWorker:
                result = Died()
            except CancelledError as error:
                raise EmsyncError(
                    f"the Dask scheduler at {shown(address)} is gone; run the same command again"
                ) from error
            yield places[future.key], result
            future.release()
