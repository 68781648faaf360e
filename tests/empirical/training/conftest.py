import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_torch_thread():
    """The models here are small: a second thread would cost more than it saves."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
