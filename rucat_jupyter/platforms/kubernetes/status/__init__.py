"""What pods and events say of a run: phase, executors, end reason; pure; for this platform alone."""
