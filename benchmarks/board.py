"""What machine this is, and what state it is in, as far as Linux says."""

import os
import pathlib
import platform
import subprocess
from typing import Any


def describe() -> dict[str, Any]:
    """What this machine is.

    Returns:
        "name" of the board or processor, "machine", "cores", "system", "python", and whether the
        processor is "emulated".

    Example:
        >>> describe()["python"] == platform.python_version()
        True
    """
    return {
        "name": (_read("/proc/device-tree/model") or _cpu_name()).strip("\0"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "emulated": _emulated(),
    }


def state() -> dict[str, Any]:
    """What may change while measuring.

    Returns:
        "governor" of the clock, "mhz", "celsius", "throttled" (the firmware's bits) and "load";
        None where the system does not say.

    Example:
        >>> sorted(state())
        ['celsius', 'governor', 'load', 'mhz', 'throttled']
    """
    celsius = _read("/sys/class/thermal/thermal_zone0/temp")
    hertz = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    return {
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "mhz": int(hertz) / 1000 if hertz else None,
        "celsius": int(celsius) / 1000 if celsius else None,
        "throttled": _throttled(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _throttled() -> int | None:
    """The Raspberry Pi firmware's bits: 0 is well; None on other boards."""
    text = _read("/sys/devices/platform/soc/soc:firmware/get_throttled")
    if text is None:
        try:
            done = subprocess.run(
                ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=5
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        text = done.stdout.rpartition("=")[2].strip()
    try:
        return int(text, 16)
    except ValueError:
        return None


def _emulated() -> bool:
    """Whether another processor plays this one (qemu-user): the kernel gives it away."""
    cpu = _read("/proc/cpuinfo") or ""
    return platform.machine() not in ("x86_64", "AMD64", "i686") and "vendor_id" in cpu


def _cpu_name() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _read(path: str) -> str | None:
    """A small system file's text, or None where there is none."""
    try:
        return pathlib.Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
