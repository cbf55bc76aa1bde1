"""What machine this is, and what state it is in, as far as Linux says."""

import os
import pathlib
import platform
import subprocess


def describe():
    """What this machine is."""
    return {
        "name": (_read("/proc/device-tree/model") or _cpu_name()).strip("\0"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "emulated": _emulated(),
    }


def state():
    """What may change while measuring; None where the system does not say."""
    celsius = _read("/sys/class/thermal/thermal_zone0/temp")
    hertz = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    return {
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "mhz": int(hertz) / 1000 if hertz else None,
        "celsius": int(celsius) / 1000 if celsius else None,
        "throttled": _throttled(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _throttled():
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


def _emulated():
    """Whether another processor plays this one (qemu-user): the kernel gives it away."""
    cpu = _read("/proc/cpuinfo") or ""
    return platform.machine() not in ("x86_64", "AMD64", "i686") and "vendor_id" in cpu


def _cpu_name():
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _read(path):
    """A small system file's text, or None where there is none."""
    try:
        return pathlib.Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
