"""What `labbox init` writes: for each template its files, which stand in the folder examples/ of the project."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Sample programs with their labbox.toml; `files` are those of its folder, which may hold others after use."""

    name: str
    summary: str
    files: tuple[str, ...]


TEMPLATES = {
    template.name: template
    for template in (
        Template(
            name="tensorflow",
            summary="TensorFlow 2, TensorBoard, a notebook",
            files=("labbox.toml", "add_constants.py", "plot_sine.py", "train_digits.py", "first_steps.ipynb"),
        ),
        Template(
            name="pytorch",
            summary="PyTorch with TensorBoard",
            files=("labbox.toml", "train_digits.py"),
        ),
        Template(
            name="jax",
            summary="JAX",
            files=("labbox.toml", "train_digits.py"),
        ),
        Template(
            name="opencv",
            summary="OpenCV with windows",
            files=("labbox.toml", "find_keypoints.py"),
        ),
        Template(
            name="tensorflow-2016",
            summary="TensorFlow 0.12.1 on Python 2.7, as in 2016",
            files=(
                "labbox.toml", "test.py", "plot_test.py", "tensorboard_test.py", "make_data.py", "digits.csv.gz",
            ),
        ),
    )
}  # fmt: skip

# The labbox.toml without a template: every line that is not a comment says what holds anyway.
PLAIN_LABBOX_TOML = """\
# A lab: `labbox up` builds it, starts it, and prints links to its services.
# What is not written here has a default; docs/definition.md lists every key.

[lab]
# name = "my-lab"                    # default: the folder's name
system = "debian:13"                 # a Debian release, any image, or "./Dockerfile"
# python = "3.13"                    # default: the system's own

[packages]
python = []                          # such as "numpy", "tensorflow-cpu==2.21.*"
# requirements = "requirements.txt"
system = []                          # packages of Debian, such as "git", "graphviz"

[services]
jupyter = true
tensorboard = { logdir = "logs" }
# ssh = true
# desktop = true

# [services.demo]                    # a program of your own
# command = "python -m http.server 8000"
# port = 8000
# health = "/"

[container]
gpus = "auto"                        # use them if present
# memory = "8g"
# shm_size = "2g"
# environment = { OMP_NUM_THREADS = "4" }
# mounts = ["~/datasets:/data:ro"]
# ports = ["5000:5000"]
"""
