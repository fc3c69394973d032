"""What is kept on disk, behind one contract that every engine passes."""
