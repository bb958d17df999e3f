"""The training loop: session, callbacks, history, schedule, optimizer, loss, batches."""
