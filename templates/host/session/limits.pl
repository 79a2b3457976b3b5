# The limits of a session. Loaded by session.pl if the environment or the session has any.
#
# Neither a control group nor limits of a process are inherited by joining namespaces: the command gets them here. The programs of envs stay
# in the caller's group.
use v5.12;

my ($O_RDONLY, $O_WRONLY, $O_RDWR) = (0, 1, 2);
my $TIMED_OUT = 124;
# Time for a command to end after the hang-up.
my $GRACE_SECONDS = 10;
# So that the kernel, when it lacks memory, prefers a process of a session to the first process of the environment.
my $PREFERENCE = 100;
my $MOST_PREFERENCE = 1000;
my $program_folder = __FILE__ =~ s{[^/]*\z}{}r;
my (%limit, $events, $kills, $is_over);
1;

# Options -l: group FOLDER, to enter it; events FOLDER, to tell whether its memory was short; rlimits "NUMBER RESOURCE=VALUE ...", nice PRIORITY,
# time SECONDS; required 1, to refuse a session that can't have them. Called in the host's namespaces.
# Returns what moves a process into the group, as find_group of session/groups.pl does; undef without one.
sub read_limits {
  my ($limits) = @_;
  %limit = %$limits;
  require "${program_folder}rlimits.pl" if $limit{rlimits};
  if (defined $limit{events} && sysopen($events, "$limit{events}/memory.events", $O_RDONLY)) {
    $kills = count_kills();
    prefer_as_victim();
  }
  return unless defined $limit{group};
  require "${program_folder}groups.pl";
  my $group = {refused => \&refuse_group};
  sysopen($group->{file}, "$limit{group}/cgroup.procs", $O_WRONLY);
  my ($manager, $unit) = $limit{group} =~ m{^.*?(/(?:[^/]+/)*user\@$<\.service)/(?:[^/]+\.slice/)*([^/]+\.scope)\z}s or return $group;
  return $group if index(group_of('self'), "$manager/") >= 0;
  require "${program_folder}user-manager.pl";
  @$group{qw(bus unit path)} = (connect_to_manager("/run/user/$<"), $unit, '');
  return $group;
}

# The command inherits it.
sub prefer_as_victim {
  sysopen(my $file, '/proc/self/oom_score_adj', $O_RDWR) or return;
  sysread $file, my $present, 16;
  my $wanted = ($present // 0) + $PREFERENCE;
  syswrite $file, $wanted > $MOST_PREFERENCE ? $MOST_PREFERENCE : $wanted;
}

# Ends the session if the limits are required; the command would else start when this process is gone.
sub refuse_group {
  my ($child) = @_;
  if ($limit{required}) {
    kill KILL => $child if $child;
    give_up('limits');
  }
  print STDERR "envs: this session is not under the limits of the environment: $!\n";
}

# In the process of the command.
sub apply_limits {
  setpriority 0, 0, $limit{nice} if defined $limit{nice};
  set_rlimits($limit{rlimits} =~ /^([0-9]+) (.*)\z/s) if defined $limit{rlimits};
}

# After the start of the command. The first alarm hangs up, the second kills.
sub begin_limits {
  my ($caller_is_gone) = @_;
  return unless defined $limit{time};
  $SIG{ALRM} = sub {
    if ($is_over || $caller_is_gone->()) { pass_on('KILL'); return }
    $is_over = 1;
    pass_on($_) for qw(HUP CONT);
    alarm $GRACE_SECONDS;
  };
  alarm $limit{time};
}

# After the command's end, and after the terminal is the caller's again. Returns the status of the session.
sub end_limits {
  my ($end) = @_;
  alarm 0;
  my $killed = defined $events ? count_kills() - $kills : 0;
  print STDERR "envs: the limit of memory was reached: the kernel ended $killed of the environment's processes.\n" if $killed > 0;
  return $end unless $is_over;
  print STDERR "envs: the session reached its time limit ($limit{time} s) and was ended.\n";
  return $TIMED_OUT << 8;
}

sub count_kills {
  sysseek $events, 0, 0;
  sysread $events, my $text, 4096;
  return ($text // '') =~ /^oom_kill ([0-9]+)$/m ? $1 : 0;
}
