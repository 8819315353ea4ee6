//! Makes one instance run the tasks assigned to it, through Docker.
