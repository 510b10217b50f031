"""What is there when everything is ready is not looked at again; what comes later is, and cycles of it go."""

import asyncio
import gc
import weakref

import pytest

from hansa.runtime.collector import spare_what_lasts

pytestmark = pytest.mark.looptime


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()


async def test_nothing_is_spared_before_everything_is_ready():
    waiting = asyncio.create_task(spare_what_lasts(lambda: False))
    await asyncio.sleep(10)
    assert gc.get_freeze_count() == 0
    waiting.cancel()


async def test_what_lasts_is_spared_and_garbage_is_not():
    lasting, garbage = [object()], weakref.ref(Knot())
    await spare_what_lasts(lambda: True)
    assert garbage() is None
    assert not any(each is lasting for each in gc.get_objects())
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None
