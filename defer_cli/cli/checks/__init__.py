"""What `defer doctor` looks at: each check stands alone, changes nothing, and says how to mend what it finds."""
