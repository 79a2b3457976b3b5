# The control groups of a guest whose systemd is its first process. Loaded by session.pl if there are any.
#
# The command enters a group of the guest; the programs of envs stay in the caller's, so that a frozen guest does not freeze them.
# Where the caller's group belongs to logind, the kernel permits the move to nobody but root; then the user manager does it, which owns
# the guest's groups: session/user-manager.pl.
#
# See cgroups(7), cgroup_namespaces(7).
use v5.12;

my ($O_WRONLY, $O_RDWR, $O_NONBLOCK) = (1, 2, 04000);
my $HIERARCHY = '/sys/fs/cgroup';
my $program_folder = __FILE__ =~ s{[^/]*\z}{}r;
1;

# Returns what moves a process into the group. Called in the host's namespaces.
sub find_group {
  my ($name, $anchor) = @_;
  my %group = (name => $name);
  my ($own, $guests) = map { group_of($_) } 'self', $anchor;
  my ($manager, $unit, $below) = $guests =~ m{^(.*/user\@$<\.service)/(?:[^/]+\.slice/)*([^/]+\.(?:scope|service))(/[^/]+/guest)/}s or return \%group;
  return \%group if index($own, "$manager/") == 0;
  require "${program_folder}user-manager.pl";
  @group{qw(bus unit path)} = (connect_to_manager("/run/user/$<"), $unit, "$below/$name");
  return \%group;
}

# Returns the file that freezes all groups of the guest.
sub find_freezer {
  my ($folder) = @_;
  sysopen(my $file, "$folder/cgroup.freeze", $O_RDWR) or return;
  return $file;
}

# A command that froze the guest holds the gate exclusively until it has ended. This process has passed the gate: a guest that is frozen
# still was left so by a command that was killed.
sub thaw_leftover {
  my ($file) = @_;
  my $is_frozen = 0;
  sysread $file, $is_frozen, 1;
  return unless $is_frozen;
  sysseek $file, 0, 0;
  syswrite $file, '0';
}

sub group_of {
  my ($process) = @_;
  open(my $file, '<', "/proc/$process/cgroup") or return '';
  my ($path) = map { /^0::(.*)$/ } <$file>;
  return $path // '';
}

# The guest's root is this process's root by now, and its cgroup namespace is not: from there, the caller's group is out of reach.
sub open_group {
  my ($group) = @_;
  return if $group->{bus} || $group->{refused};
  mkdir "$HIERARCHY/$group->{name}", 0755;    # may be there
  sysopen($group->{file}, "$HIERARCHY/$group->{name}/cgroup.procs", $O_WRONLY | $O_NONBLOCK);
}

# Before the command's process exists, and after all others, which would hold the pipe open.
sub expect_move {
  my ($group) = @_;
  pipe($group->{hears}, $group->{tells}) or give_up('fork') if $group->{bus};
}

# In the parent of the command. It has the host's ids of processes.
sub move_to_group {
  my ($group, $child, $terminal) = @_;
  return unless $group->{bus};
  attach_by_manager(@$group{qw(bus unit path)}, $child) or say_refused($group, $terminal, $child);
  close $_ for @$group{qw(bus hears tells)};
}

# In the process of the command, which still has the caller's id for the host, and the caller's standard error.
sub enter_group {
  my ($group, $terminal) = @_;
  if ($group->{bus}) {
    close $_ for @$group{qw(bus tells)};
    wait_for_end($group->{hears});
  }
  else {
    $group->{file} && defined syswrite($group->{file}, '0') or say_refused($group, $terminal);
    close $group->{file} if $group->{file};
  }
}

# Only logins need the group, so a session without it is better than none. On a terminal alone: a script would not read it. A group with
# limits has an answer of its own: session/limits.pl.
sub say_refused {
  my ($group, $terminal, $child) = @_;
  return $group->{refused}->($child) if $group->{refused};
  print STDERR "envs: this session is not in the control groups of the environment, so \"su -\" gets no session of logind: $!\n" if $terminal;
}
