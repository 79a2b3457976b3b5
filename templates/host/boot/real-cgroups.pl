# Control groups of a guest on a host that delegates some to its user. Loaded by boot.pl.
# See https://systemd.io/CGROUP_DELEGATION and cgroups(7).
use v5.12;
use warnings;

my $MAX_DEPTH = 32;
1;

# Returns the group of this process. The path is that of the cgroup namespace, whose root is what is mounted.
sub own_group {
  my ($mount) = @_;
  open(my $file, '<', '/proc/self/cgroup') or fail('/proc/self/cgroup');
  my ($path) = map { /^0::(.*)$/ } <$file>;
  return $mount . ($path // '/') =~ s{/\z}{}r;
}

# Moves this process into a group of its own in its scope. A group hands its controllers on only if no process is in itself.
# See cgroups(7), "no internal processes".
sub leave_scope {
  my ($scope) = @_;
  mkdir "$scope/keeper" or fail("$scope/keeper");
  join_group("$scope/keeper");
  hand_on_controllers($scope);
}

# Lets what is below be limited. A host need not delegate any controller.
sub hand_on_controllers {
  my ($path) = @_;
  open(my $list, '<', "$path/cgroup.controllers") or fail("$path/cgroup.controllers");
  for my $controller (split ' ', <$list> // '') {
    open(my $file, '>', "$path/cgroup.subtree_control") or return;
    syswrite $file, "+$controller";
  }
}

# Makes a group, in it the guest's, and in that one for sessions; returns the guest's. The guest can't reach the outer one, in which envs
# freezes it. A group that an earlier guest left is empty, for its pid namespace has ended. Others than the guest's root look into
# theirs too.
sub make_group {
  my ($path, $sessions) = @_;
  remove_group($path);
  for my $group ($path, "$path/guest", "$path/guest/$sessions") {
    mkdir $group and chmod 0755, $group or fail($group);
  }
  hand_on_controllers($path);
  return "$path/guest";
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
