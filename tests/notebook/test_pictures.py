"""`--image` through everything: a kernel, a real server, a tiny model that sees."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.notebook.kernels import Kernel
from tests.server.spawn import lmnb_serve
from tests.synthetic_vision import write_projector


def test_a_picture_is_seen_and_counted(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    home = tmp_path / "models" / "team" / "seeing-GGUF"
    home.mkdir(parents=True)
    shutil.copy(tiny_model("llama"), home / "seeing.gguf")
    write_projector(home / "mmproj-seeing.gguf", "llama")
    with lmnb_serve(tmp_path, LMNB_MODEL_PATH=str(tmp_path / "models")) as server:
        assert server.url, server.log
        kernel = Kernel.local({"LMNB_BASE_URL": server.url, "LMNB_API_KEY": ""})
        try:
            kernel.run("%load_ext lmnb\nimport PIL.Image\npicture = PIL.Image.new('RGB', (8, 8))")
            cell = "%%lms -m seeing --no-history --max-tokens 4 {}\nWhat is this?"
            blind = kernel.run(cell.replace("{}", ""))
            assert blind.status == "ok", blind.stream("stderr")
            tokens = "_.usage['prompt_tokens']"
            before = kernel.value(tokens)
            seen = kernel.run(cell.replace("{}", "--image picture"))
            assert seen.status == "ok", seen.stream("stderr")
            assert "sent picture: image/png" in seen.text()
            assert kernel.value(tokens) >= before + 16
        finally:
            kernel.close()
