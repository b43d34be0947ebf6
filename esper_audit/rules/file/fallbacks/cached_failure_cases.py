"""The cases of the rule `cached-failure`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a probe without a limit of time",
        """
        from functools import lru_cache
        import subprocess

        @lru_cache
        def driver():
            try:
                return subprocess.run(["nvidia-smi"], capture_output=True).stdout
            except OSError:
                return None
        """,
    ),
    Valid(
        "every error of a call of its own",
        """
        from functools import lru_cache

        @lru_cache
        def layers(model):
            try:
                return read_layers(model)
            except Exception:
                return None
        """,
    ),
    Valid(
        "a property of the device, and a failure that is reported",
        """
        from functools import lru_cache

        import torch

        @lru_cache(maxsize=None)
        def rows_of(device):
            try:
                return 32 if torch.cuda.get_device_capability(device)[0] >= 10 else 128
            except Exception:
                return 128

        class Texts:
            def normalizer(self, language):
                if language not in self._cache:
                    try:
                        self._cache[language] = build(language)
                    except Exception as error:
                        logging.warning(f"no normalizer for {language}: {error}")
                        self._cache[language] = None
                return self._cache[language]
        """,
    ),
    Valid(
        "a probe that returns whether something works",
        """
        from functools import lru_cache

        @lru_cache
        def check_window(warn=False):
            try:
                show(blank())
                return True
            except Exception as error:
                print(error if warn else "")
                return False
        """,
    ),
    Valid(
        "errors that stay, and a probe that imports",
        """
        from functools import cache, lru_cache

        @lru_cache
        def parse(text):
            try:
                return int(text)
            except ValueError:
                return None

        @cache
        def has_triton():
            try:
                import triton
                return triton.ok()
            except Exception:
                return False
        """,
    ),
    Valid(
        "a handler that raises, and one that computes",
        """
        from functools import lru_cache

        @lru_cache(maxsize=None)
        def read(path):
            try:
                return open(path).read()
            except OSError as error:
                raise KeyError(path) from error

        @lru_cache
        def load(path):
            try:
                return fetch(path)
            except ConnectionError:
                return read_local(path)
        """,
    ),
    Valid(
        "a function that remembers nothing, and a cache of results alone",
        """
        def read(path):
            try:
                return open(path).read()
            except OSError:
                return None

        class Store:
            def get(self, key):
                try:
                    value = self._cache[key] = fetch(key)
                except OSError:
                    return None
                return value
        """,
    ),
)

INVALID = (
    Invalid(
        "a probe that may end in time the next time",
        """
        from functools import cache
        import requests

        @cache
        def latest_version():
            try:
                return requests.get("https://host/latest", timeout=2).text
            except requests.RequestException:
                return ""
        """,
        (
            (
                8,
                (
                    "the cache of `latest_version` remembers the default of `RequestException` for every later "
                    "call. Raise, or keep failures out of it."
                ),
            ),
        ),
    ),
    Invalid(
        "every error of a request",
        """
        from functools import lru_cache

        import requests

        @lru_cache
        def labels(url):
            try:
                return requests.get(url).json()
            except Exception:
                return []
        """,
        (
            (
                9,
                (
                    "the cache of `labels` remembers the default of `Exception` for every later call. "
                    "Raise, or keep failures out of it."
                ),
            ),
        ),
    ),
    Invalid(
        "a cached function that returns a default",
        """
        import functools

        @functools.lru_cache(maxsize=1)
        def device_memory(index):
            try:
                return query(index)
            except Exception:
                return 0

        class Model:
            @functools.cached_property
            def revision(self):
                try:
                    text = download(self.url)
                except (ValueError, OSError):
                    text = ""
                return text
        """,
        (
            (
                7,
                (
                    "the cache of `device_memory` remembers the default of `Exception` for every later "
                    "call. Raise, or keep failures out of it."
                ),
            ),
            (
                15,
                (
                    "the cache of `revision` remembers the default of `OSError` for every later call. "
                    "Raise, or keep failures out of it."
                ),
            ),
        ),
        options={"any_error": True},
    ),
    Invalid(
        "a default that is written into a cache",
        """
        _CACHE = {}

        def config(name):
            if name not in _CACHE:
                try:
                    _CACHE[name] = fetch(name)
                except:
                    _CACHE[name] = {}
            return _CACHE[name]
        """,
        (
            (
                7,
                (
                    "`_CACHE` remembers the default of `except:` for every later call. Raise, or keep "
                    "failures out of it."
                ),
            ),
        ),
        options={"any_error": True},
    ),
    Invalid(
        "a default that goes into a cache below",
        """
        class Store:
            def size(self, path):
                if path in self._memo:
                    return self._memo[path]
                try:
                    size = stat(path)
                except OSError:
                    size = None
                self._memo[path] = size
                return size
        """,
        (
            (
                7,
                (
                    "`self._memo` remembers the default of `OSError` for every later call. Raise, or keep "
                    "failures out of it."
                ),
            ),
        ),
    ),
)
