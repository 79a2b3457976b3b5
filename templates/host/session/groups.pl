# The control groups of a guest whose systemd is its first process. Loaded by session.pl if there are any.
#
# The command enters a group of the guest; the programs of envs stay in the caller's, so that a frozen guest does not freeze them.
#
# See cgroups(7), cgroup_namespaces(7).
use v5.12;

my ($O_WRONLY, $O_NONBLOCK) = (1, 04000);
my $HIERARCHY = '/sys/fs/cgroup';
1;

# Returns the file that moves a process into the group; undef if there is none. The guest's root is this process's root by now, and its
# cgroup namespace is not: from there, the caller's group would be out of reach.
sub open_group {
  my ($name) = @_;
  mkdir "$HIERARCHY/$name", 0755;    # may be there
  sysopen(my $group, "$HIERARCHY/$name/cgroup.procs", $O_WRONLY | $O_NONBLOCK) or return;
  return $group;
}

sub enter_group {
  my ($group) = @_;
  syswrite $group, '0';
  close $group;
}
