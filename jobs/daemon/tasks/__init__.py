"""What the jobs do, each as one ``run_once`` of one period."""
