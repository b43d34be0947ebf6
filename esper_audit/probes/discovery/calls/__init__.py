"""The arguments of a call: objects in place of tensors, and what the message of an error suggests."""
