"""A simulation of deployments, their repository, and all that goes wrong, from one seed."""
