"""Who lives in the town. The numbers are those of the demo people in `sql/demo/`."""

from __future__ import annotations

import os

from ivr.settings import Settings

ELDER_NO = "E0001"
ELDER = "02155500001"
DAUGHTER = "13900000001"
SON = "13900000002"
NIECE = "13900000003"
DUTY = "13900000009"


def with_demo_duty_phone(settings: Settings) -> Settings:
    """A demo has a duty phone too, unless one is set. By the environment: all parts read the same settings."""
    if settings.duty_phone:
        return settings
    os.environ["IVR_DUTY_PHONE"] = DUTY
    return settings.model_copy(update={"duty_phone": DUTY})
