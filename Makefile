# make play | train | evaluate | weights | leaderboard | demo | lessons | docs | test | lint | format | bench | setup     ARGS="..." is passed on
#
# Each target first installs what it needs into .venv, or into a folder of the user's cache where the checkout is
# read-only. A missing environment is made; one is updated when pyproject.toml or constraints.txt has changed. An active
# virtual environment is not touched: it may be for something else.
# VENV=folder          another environment          PYTHON=program    the interpreter for a new environment
# BENCH="names"        the benchmarks to run        LESSONS="names"   the lessons to run

LESSONS ?= picture feedforward recurrence loss_over_time criteria encoding vocabulary backpropagation gradients gates parallel long_memory beyond one_camera
define LINE


endef
BENCH ?= sim_speed latency fidelity viewer_speed train_speed scan_speed net_clip robustness spin feeds beliefs filter_speed catch
IN = @sh -c "$$IN_ENVIRONMENT" make

.PHONY: play train evaluate weights leaderboard demo lessons docs test lint format bench setup
.NOTPARALLEL:

play:
	$(IN) "core$(if $(findstring --video,$(ARGS)), video)" play.py $(ARGS)

train:
	$(IN) "core train" train.py $(ARGS)

weights:
	$(IN) "core train" -m ballcast.models.training.ship $(ARGS)

evaluate:
	$(IN) "core report filters formats" evaluate.py $(ARGS)

leaderboard:
	$(IN) "core train report filters formats" -m ballcast.evaluation.leaderboard $(ARGS)

demo:
	$(IN) core play.py --headless --seed 187 --throw single --frames 24 --screenshot docs/viewer.png
	$(IN) "core record" play.py --headless --seed 187 --throw single --predictor gru_physics physics --frames 300 --record docs/viewer.gif
	$(IN) core play.py --headless --predictor gru --frames 70 --screenshot docs/rally.png
	$(IN) core play.py --headless --game --predictor gru_physics parabola --frames 344 --screenshot docs/game.png
	$(IN) core play.py --headless --seed 187 --throw single --frames 1 --show help --screenshot docs/keys.png
	$(IN) core play.py --headless --seed 3 --throw loop --predictor gru_physics gru physics parabola --frames 26 --show errors truth --screenshot docs/compare.png
	$(IN) core play.py --headless --seed 187 --throw single --predictor gru_physics gru --frames 66 --show errors gates beliefs --screenshot docs/insides.png
	$(IN) core play.py --headless --seed 187 --throw single --frames 45 --show why errors --screenshot docs/why.png
	$(IN) core play.py --headless --seed 187 --throw single --frames 40 --world gravity=1.6 along=5 --show sliders truth errors --screenshot docs/moon.png
	$(IN) core play.py --headless --seed 3 --throw serve --frames 40 --world missed=70 noise=20 --show sliders truth --screenshot docs/noise.png
	$(IN) core play.py --headless --sport soccer --throw "free kick" --frames 45 --show inset truth --screenshot docs/free_kick.png
	$(IN) core play.py --headless --sport basketball --throw "free throw" --frames 45 --show follow inset truth --screenshot docs/free_throw.png
	$(IN) core play.py --headless --sport tennis --throw "kick serve" --frames 36 --show inset beliefs truth --screenshot docs/kick_serve.png
	$(IN) core play.py --headless --seed 187 --throw single --seen-by camera --predictor physics --frames 16 --screenshot docs/one_camera.png
	$(IN) core play.py --headless --seed 187 --throw single --seen-by camera --predictor physics --frames 31 --screenshot docs/one_camera_bounced.png
	$(IN) "core train" -m tools.demo
	mkdir -p runs
	$(IN) "core video record" -m ballcast render --sport table_tennis --seed 39 --rate 60 --frames 90 --out runs/rally.mp4
	$(IN) "core video record" play.py --video runs/rally.mp4 --sport table_tennis --camera runs/rally.camera.yaml --headless --record docs/video.gif

lessons:
	$(foreach name,$(LESSONS),$(IN) "core train report" -m lessons.$(name) $(ARGS)$(LINE))

# without the variable the theme advertises another program at every start
docs: export NO_MKDOCS_2_WARNING = 1
docs:
	$(IN) "core docs" -m mkdocs build --strict $(ARGS)

# two processes that compile the same kernel at once would both pay for it, so everything is compiled first
test:
	$(IN) "core train test" -m ballcast warm
	$(IN) "core train test" -m pytest -q --numprocesses 2 $(ARGS)

lint:
	$(IN) "core lint" -m ruff check $(or $(ARGS),.)
	$(IN) "core lint" -m ruff format --check $(or $(ARGS),.)
	$(IN) "core lint" -m tools.typecheck

format:
	$(IN) lint -m ruff check --fix $(or $(ARGS),.)
	$(IN) lint -m ruff format $(or $(ARGS),.)

bench:
	$(foreach name,$(BENCH),$(IN) "core train test" -m benchmarks.$(name) $(ARGS)$(LINE))

setup:
	$(IN) "core train test lint docs" -c "import sys; print('Ballcast: environment ready,', sys.executable)"

# sh -c "$IN_ENVIRONMENT" make "PARTS" ARGUMENTS: run python with these arguments, in an environment with these parts of
# pyproject.toml (core, or an extra). A part is installed when its stamp in the environment holds the checksum of
# pyproject.toml and constraints.txt. Stamps are written last, so a failed install leaves none.
# Everything is quoted and relative, because the path of the checkout may have spaces.
define IN_ENVIRONMENT
set -euf
parts=$$1
shift

say() { echo "Ballcast: $$*" >&2; }
runs() { "$$1" -c "import sys, $$2; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))" 2>/dev/null; }
first() { for program; do if runs "$$program" venv,ensurepip; then echo "$$program"; return; fi; done; return 1; }
sum=$$(cat pyproject.toml constraints.txt | cksum)
has() { [ "$$(cat "$$1/ballcast-$$2" 2>/dev/null)" = "$$sum" ]; }
ready() { for part in $$parts; do has "$$1" "$$part" || return 1; done; runs "$$1/bin/python" pip; }

venv=.venv
if [ ! -w . ]; then
    cache="$${XDG_CACHE_HOME:-$${HOME:-/tmp}/.cache}/ballcast/$$(pwd | cksum | tr ' ' -)"
    export PYTHONPYCACHEPREFIX="$$cache/pycache" NUMBA_CACHE_DIR="$$cache/numba"
    export RUFF_CACHE_DIR="$$cache/ruff" MYPY_CACHE_DIR="$$cache/mypy"
    export PYTEST_ADDOPTS="-p no:cacheprovider $${PYTEST_ADDOPTS:-}"
    ready .venv || venv="$$cache/venv"
fi
venv="$${VENV:-$$venv}"

if ! ready "$$venv"; then
    say "installing $$parts into $$venv (once)"
    if ! runs "$$venv/bin/python" sys; then
        clear=
        if [ -e "$$venv/pyvenv.cfg" ]; then clear=--clear; fi
        if [ "$${PYTHON:-}" ]; then python=$$(first "$$PYTHON") || python=
        else python=$$(first python3.13 python3.12 python3.11 python3 python) || python=; fi
        if [ -z "$$python" ]; then
            say "$${PYTHON:-no python here} is not Python 3.11 to 3.14 with venv: install one (Debian: python3-venv) or name it, PYTHON=..."
            exit 2
        fi
        "$$python" -m venv $$clear "$$venv"
    fi
    runs "$$venv/bin/python" pip || "$$venv/bin/python" -m ensurepip
    "$$venv/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt $$("$$venv/bin/python" -c '
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = {"core": project["dependencies"], **project["optional-dependencies"]}
print(*(need.replace(" ", "") for part in sys.argv[1:] for need in extras[part]))
' $$parts)
    for part in $$parts; do echo "$$sum" >"$$venv/ballcast-$$part"; done
fi
exec "$$venv/bin/python" "$$@"
endef
export IN_ENVIRONMENT
