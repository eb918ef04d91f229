"""What stands beside the picture: queue, options, progress, result, evidence."""
