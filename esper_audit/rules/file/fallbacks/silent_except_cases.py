"""The cases of the rule `silent-except`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "the expected error is named",
        """
        try:
            n = int(s)
        except ValueError:
            n = 0
        """,
    ),
    Valid(
        "an optional import",
        """
        try:
            import wandb
        except ImportError:
            wandb = None
        """,
    ),
    Valid(
        "a clause that raises",
        """
        try:
            f()
        except Exception as e:
            raise LoadError(path) from e
        """,
    ),
    Valid(
        "a clause that cleans up and raises",
        """
        try:
            f()
        except BaseException:
            done = False
            raise
        """,
    ),
    Valid(
        "a clause that warns",
        """
        try:
            f()
        except Exception:
            log.warning('f failed')
        """,
    ),
    Valid(
        "a clause that prints",
        """
        try:
            f()
        except Exception:
            traceback.print_exc()
        """,
    ),
    Valid(
        "a clause that keeps the error",
        """
        try:
            f()
        except Exception as e:
            error = e
        """,
    ),
    Valid(
        "a clause that returns the error",
        """
        def g():
            try:
                f()
            except Exception as e:
                return e
        """,
    ),
    Valid(
        "a clause that counts",
        """
        try:
            f()
        except Exception:
            failures += 1
        """,
    ),
    Valid(
        "a clause that calls a handler",
        """
        try:
            f()
        except Exception:
            failed.append(path)
        """,
    ),
    Valid(
        "the function raises when no candidate worked",
        """
        def find(kinds):
            for kind in kinds:
                try:
                    return load(kind)
                except Exception:
                    continue
            raise LookupError('none loads')
        """,
    ),
    Valid(
        "a default that is rejected later",
        """
        def read(path):
            try:
                data = load(path)
            except Exception:
                data = None
            if data is None:
                raise LoadError(path)
            return data
        """,
    ),
    Valid(
        "a function that is a probe",
        """
        def is_bf16_available(device):
            try:
                torch.zeros(2, device=device)
                return True
            except Exception:
                return False
        """,
    ),
    Valid(
        "a flag that is a probe",
        """
        try:
            _HAS_SCALAR = 'Scalar' in overloads()
        except Exception:
            _HAS_SCALAR = False
        """,
    ),
    Valid(
        "a `__del__` method",
        """
        class Pool:
            def __del__(self):
                try:
                    self.close()
                except Exception:
                    pass
        """,
    ),
    Valid(
        "a function that atexit calls",
        """
        import atexit
        @atexit.register
        def close():
            try:
                pool.close()
            except Exception:
                pass
        def stop():
            try:
                pool.stop()
            except Exception:
                pass
        atexit.register(stop)
        """,
    ),
    Valid(
        "a teardown that continues",
        """
        from contextlib import suppress
        for w in workers:
            try:
                w.shutdown()
            except Exception:
                pass
        with suppress(Exception):
            ray.kill(actor)
        def shutdown():
            try:
                os.unlink(path)
            except Exception:
                pass
        """,
    ),
    Valid(
        "an error that is raised after a last attempt",
        """
        import contextlib
        def leave():
            with contextlib.suppress(Exception):
                barrier()
            raise SystemExit(1)
        """,
    ),
    Valid(
        "a comment with a reason",
        """
        try:
            f(x)
        except Exception:
            # a callback of others must not end the run
            pass
        try:
            f(x)
        except Exception:
            pass  # the cache is only a help
        """,
    ),
    Valid(
        "a narrow suppress",
        """
        import contextlib
        with contextlib.suppress(OSError):
            f()
        """,
    ),
)

INVALID = (
    Invalid(
        "a bare except that passes",
        """
        try:
            host.step()
        except:
            pass
        """,
        ((3, "bare except discards every error and continues with `pass`"),),
    ),
    Invalid(
        "a returned default",
        """
        def load(path):
            try:
                return torch.load(path)
            except Exception as e:
                return {}
        """,
        ((4, "except Exception discards every error and continues with `return {}`"),),
    ),
    Invalid(
        "an assigned default, with an alias among other exceptions",
        """
        Broad = Exception
        try:
            vocab = read()
        except (OSError, Broad):
            vocab = list()
        """,
        ((4, "except (OSError, Broad) discards every error and continues with `vocab = list()`"),),
    ),
    Invalid(
        "a log at debug level",
        """
        for x in batches:
            try:
                step(x)
            except BaseException as e:
                log.debug('%s', e)
                continue
        """,
        (
            (
                4,
                "except BaseException discards every error and continues with `log.debug('%s', e); continue`",
            ),
        ),
    ),
    Invalid(
        "a default tensor in one branch, nothing in the other",
        """
        import torch
        try:
            n = total_norm(model)
        except Exception:
            if s:
                n = torch.tensor(0.0)
            else:
                pass
        """,
        (
            (
                4,
                "except Exception discards every error and continues with `if s: n = torch.tensor(0.0) else: pass`",
            ),
        ),
    ),
    Invalid(
        "a linter directive and a to-do note",
        """
        try:
            f(x)
        except Exception:  # noqa: BLE001 it is as it is
            pass
        try:
            f(x)
        except Exception:
            # TODO find out which one that is
            pass
        """,
        (
            (3, "except Exception discards every error and continues with `pass`"),
            (7, "except Exception discards every error and continues with `pass`"),
        ),
    ),
    Invalid(
        "an authorisation, which the audit applies later",
        """
        try:
            f(x)
        except Exception:
            # esper-audit: allow silent-except -- a callback of others
            pass
        """,
        ((3, "except Exception discards every error and continues with `pass`"),),
    ),
    Invalid(
        "suppress with every exception",
        """
        from contextlib import suppress as hush
        with hush(Exception):
            f()
        """,
        ((2, "hush(Exception) discards every error"),),
    ),
    Invalid(
        "a probe, with the option `probes`",
        """
        def is_ready():
            try:
                return ask()
            except Exception:
                return False
        """,
        ((4, "except Exception discards every error and continues with `return False`"),),
        options={"probes": True},
    ),
)
