# Control groups of a guest on a host that delegates some to its user. Loaded by boot.pl.
# See https://systemd.io/CGROUP_DELEGATION and cgroups(7).
use v5.12;
use warnings;

my $MAX_DEPTH = 32;
1;

# Makes a group for the guest. One that an earlier guest left is empty, for its pid namespace has ended.
sub make_group {
  my ($path) = @_;
  remove_group($path);
  mkdir $path, 0755 or fail($path);
  return $path;
}

# Only a process in the group is its member from the start, and so is all that it starts.
sub join_group {
  my ($path) = @_;
  open(my $file, '>', "$path/cgroup.procs") or fail("$path/cgroup.procs");
  defined syswrite($file, '0') or fail("$path/cgroup.procs");
}

# Groups have folders and files of the kernel alone; rmdir(2) removes one with its files.
sub remove_group {
  my ($path, $depth) = (@_, 0);
  return if $depth > $MAX_DEPTH;
  opendir(my $folder, $path) or return;
  my @below = grep { !/^\./ && -d "$path/$_" } readdir $folder;
  closedir $folder;
  remove_group("$path/$_", $depth + 1) for @below;
  rmdir $path;
}
