"""A stand-in for the Hugging Face Hub: on loopback, speaking its protocol, failing on request."""

from tests.hub.faults import Fault
from tests.hub.repository import Phantom, Repository
from tests.hub.server import StandInHub, running_hub

__all__ = ["Fault", "Phantom", "Repository", "StandInHub", "running_hub"]
