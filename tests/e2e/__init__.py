"""The program as people run it, against real servers, compared with arithmetic on the samples."""
