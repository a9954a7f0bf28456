"""A small network learns handwritten digits; TensorBoard shows how.

The digits are the 1797 pictures of 8 x 8 points that come with scikit-learn: nothing is downloaded.
"""

import time

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.tensorboard import SummaryWriter

STEPS = 500
BATCH_SIZE = 100
TEST_SIZE = 297


def load_data():
    """Pictures (0 to 1) and labels: those to learn from, then those to test with."""
    digits = load_digits()
    order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
    labels = torch.tensor(digits.target)[order]
    return (images[TEST_SIZE:], labels[TEST_SIZE:]), (images[:TEST_SIZE], labels[:TEST_SIZE])


def main(log_folder="logs", steps=STEPS):
    """Train, write what TensorBoard shows, and give the last accuracy on the test set."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    (train_images, train_labels), (test_images, test_labels) = (
        (images.to(device), labels.to(device)) for images, labels in load_data()
    )
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    accuracy = 0.0
    with SummaryWriter(f"{log_folder}/{time.strftime('%Y-%m-%d_%H-%M-%S')}") as writer:
        writer.add_graph(model, test_images)
        for step in range(steps):
            chosen = torch.randint(len(train_images), (BATCH_SIZE,), device=device)
            loss = nn.functional.cross_entropy(model(train_images[chosen]), train_labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 0 or step == steps - 1:
                with torch.no_grad():
                    accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
                writer.add_scalar("loss", loss.item(), step)
                writer.add_scalar("accuracy", accuracy, step)
                writer.add_histogram("weights", model[0].weight, step)
                print(f"step {step}: loss {loss.item():.4f}, accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
