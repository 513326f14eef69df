"""Groups, the laws that they allow, and which of them measured data obey."""
