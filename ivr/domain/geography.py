"""How far apart two places are. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass

EARTH_KM = 6371.0088


@dataclass(frozen=True, slots=True)
class Point:
    lat: float
    lng: float


def point(lat: float | None, lng: float | None) -> Point | None:
    """None unless both are there and on the globe."""
    if lat is None or lng is None or not (-90 <= lat <= 90 and -180 <= lng <= 180):
        return None  # NaN compares false: it is no place either
    return Point(lat, lng)


def distance_km(a: Point, b: Point) -> float:
    """As the crow flies (haversine); roads are longer."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat, half_lng = (lat_b - lat_a) / 2, math.radians(b.lng - a.lng) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lng) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


def bearing(a: Point, b: Point) -> str:
    """The compass direction from a to b, as one says it: `东北`."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    turn = math.radians(b.lng - a.lng)
    east = math.sin(turn) * math.cos(lat_b)
    north = math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(turn)
    return ("北", "东北", "东", "东南", "南", "西南", "西", "西北")[
        round(math.degrees(math.atan2(east, north)) / 45) % 8
    ]
