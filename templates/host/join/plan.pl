# The plan of a session, and the step from it to session.pl. Loaded by the child of join.pl, because the process that waits needs none of
# it; by that process itself only on the way by Node and for notes after a session.
use v5.12;

our ($package, @typed, %is_run, %is_enter);
my ($O_RDONLY, $O_RDWR, $O_NONBLOCK) = (0, 2, 04000);
my ($ENOENT, $F_DUPFD) = (2, 0);
my $MAX_PLAN_BYTES = 262144;
my $MAX_SETTINGS_BYTES = 65536;
my $MOST_LINKS = 40;
# The files that identify a build of envs, as in src/sandbox/join-plan.ts.
my @SESSION_PROGRAMS = map { "templates/host/$_" }
  qw(session.pl session/account.pl session/caller-terminal.pl session/terminal.pl session/relay.pl session/streams.pl session/volumes.pl
  session/single-id.pl session/groups.pl session/user-manager.pl session/network.pl join.pl join/plan.pl join/network.pl);
# Who reads them: src/environments/session/typed-session.ts.
my @VARIABLES_THAT_MATTER = qw(ENVS_DURABLE ENVS_ENGINE);
1;

# Returns the stored plan of a plain session; undef if there is no valid one.
sub kept_plan {
  my ($name, $shares, @command) = read_plain_form(@typed) or return;
  return if $< == 0 || $< != $> || grep { length($ENV{$_} // '') } @VARIABLES_THAT_MATTER;
  my ($data, $config) = find_folders() or return;
  return unless is_own_folder($data, 0, $MOST_LINKS) && is_own_folder($config, 0, $MOST_LINKS);
  my $folder = "$data/environments/$name";
  my $plan = read_plan(read_whole("$folder/run/join", $O_RDONLY, $MAX_PLAN_BYTES)) // return;
  $plan->{command} = \@command;
  push @{$plan->{words}}, @$shares;
  return if $plan->{folder} ne $folder || $plan->{settings} ne settings("$config/config.json");
  require "$package/templates/host/join/network.pl" if $plan->{resolver} ne '-';
  return unless ($plan->{resolver} eq '-' || helpers_run($plan)) && resolver_is_current($plan) && utime(undef, undef, "$folder/last-used") == 1;
  return $plan;
}

# As readSessionLine of src/cli/session-line.ts has it, without its flags; and what a shim with volumes says, in no other spelling.
sub read_plain_form {
  my ($verb, @rest) = @_;
  my @shares;
  while (@rest > 2 && $is_run{$verb} && $rest[0] eq '--volume') {
    my ($source, $target, $access) = $rest[1] =~ m{^(/[^:]+):(/[^:]+):(ro|rw)\z} or return;
    return unless checked($source, $target);
    push @shares, '-v', $source, $target, $access;
    splice @rest, 0, 2;
  }
  if (@shares && @rest > 2 && $rest[0] eq '--workdir') {
    return unless $rest[1] =~ m{^/};
    push @shares, '-w', $rest[1];
    splice @rest, 0, 2;
  }
  my $name = shift @rest;
  # The rule of src/store/environments.ts; envs.js refuses wrong names.
  return unless ($name // '') =~ /^[a-z0-9][a-z0-9_.-]{0,62}\z/;
  if ($is_enter{$verb}) { return @rest ? () : ($name, []) }
  return unless $is_run{$verb};
  shift @rest if @rest && $rest[0] eq '--';
  return @rest ? ($name, \@shares, @rest) : ();
}

# The same as src/host/paths.ts; returns nothing where that would normalise, or refuse.
sub find_folders {
  my $own = $ENV{ENVS_HOME} // '';
  return checked("$own/data", "$own/config") if length $own;
  my $home = $ENV{HOME} // '';
  return unless length $home;
  return checked(map { ($_->[0] // '') =~ m{^/} ? "$_->[0]/envs" : "$home/$_->[1]/envs" }
    [$ENV{XDG_DATA_HOME}, '.local/share'], [$ENV{XDG_CONFIG_HOME}, '.config']);
}

# The rules of src/host/own-folders.ts. Returns false if these refuse, and if only envs.js can decide.
sub is_own_folder {
  my ($path, $is_holder, $links) = @_;
  my @facts = lstat $path;
  my ($above) = $path =~ m{^(.*)/[^/]+\z}s;
  $above = '/' if defined $above && $above eq '';
  return defined $above && is_own_folder($above, 1, $links) if !@facts;
  my ($mode, $owner, $group) = @facts[2, 4, 5];
  if (-l _) {
    return if $links == 0 || ($owner != $< && $owner != 0) || !is_own_folder($above, 1, $links - 1);
    my $target = readlink $path;
    return defined $target && checked($target) && is_own_folder($target, $is_holder, $links - 1);
  }
  return unless -d _;
  my $is_open = $mode & 022;
  return $owner == $< && !$is_open && is_own_folder($above, 1, $links) unless $is_holder;
  return unless $owner == $< || $owner == 0;
  return 1 if !$is_open || $mode & 01000;
  return !($mode & 02) && grep { $_ == $group } $< == 0 ? 0 : split / /, $(;
}

sub checked {
  return grep({ !m{^/[^/]} || m{/\.{0,2}(?:/|$)} } @_) ? () : @_;
}

# Returns a plan of this build and this user, for the running first process.
sub read_plan {
  my ($text) = @_;
  return unless defined $text;
  my @fields = split /\0/, $text, -1;
  pop @fields;    # what follows the last end of a field
  my ($format, $build, $user, $settings, $boot, $anchor, $started, $nofollow, $numbers, $filter, $folder, $lock, $resolver) = splice @fields, 0, 13;
  return unless ($format // '') eq 'envs-join-3' && $user eq $<;
  return unless $build eq join(' ', map { identity("$package/$_") } 'dist', @SESSION_PROGRAMS);
  return unless $boot eq (read_whole('/proc/sys/kernel/random/boot_id', $O_RDONLY, 64) // '') =~ s/\n\z//r;
  my @process = process_fields($anchor);
  return unless @process && $process[0] !~ /[ZX]/ && $process[19] eq $started;
  my @helpers = splice @fields, 0, shift @fields;
  my @words = splice @fields, 0, shift @fields;
  my @passed = splice @fields, 0, shift @fields;
  return {
    settings => $settings, anchor => $anchor, nofollow => $nofollow, numbers => $numbers, filter => pack('H*', $filter),
    folder => $folder, lock => $lock, resolver => $resolver, helpers => \@helpers, words => \@words, passed => \@passed, command => \@fields,
  };
}

sub identity {
  my @facts = stat $_[0] or return 'none';
  return join ':', @facts[0, 1, 7, 10];
}

# Returns the text of the settings; a file that is too large or unreadable matches no plan.
sub settings {
  my ($path) = @_;
  return '-' unless -e $path || $! != $ENOENT;
  return '+' . (read_whole($path, $O_RDONLY, $MAX_SETTINGS_BYTES) // return '');
}

# Returns the fields from the third on. See proc_pid_stat(5): the second may contain any character.
sub process_fields {
  my $text = read_whole("/proc/$_[0]/stat", $O_RDONLY, 4096) // return;
  return split / /, $text =~ s/^.*\) //sr;
}

# Returns the content of a small regular file; undef for any other.
sub read_whole {
  my ($path, $flags, $most) = @_;
  sysopen(my $file, $path, $flags | $O_NONBLOCK) or return;
  return unless -f $file;
  my $text = '';
  while (my $got = sysread($file, $text, 65536, length $text)) { return if length $text > $most }
  return $text;
}

# Returns whether the guest has the host's current resolver settings. All files in that folder are untrusted.
sub resolver_is_current {
  my ($plan) = @_;
  my $hosts = read_whole('/etc/resolv.conf', $O_RDONLY, $MAX_SETTINGS_BYTES) // '';
  $hosts = of_own_network($plan, $hosts) unless $plan->{resolver} eq '-';
  my $guests = read_whole("$plan->{folder}/run/resolver/resolv.conf", $plan->{nofollow}, $MAX_SETTINGS_BYTES);
  return defined $guests && $guests eq $hosts;
}

sub open_hold {
  my ($plan) = @_;
  sysopen($plan->{hold}, "$plan->{folder}/run/hold", $O_RDWR | $plan->{nofollow}) unless $plan->{hold};
  return defined fileno($plan->{hold});
}

# Becomes session.pl; returns if the environment is gone. The waiting process gets the name of the environment, the id of its first
# process and the numbers for the relay before all that session.pl reports.
sub begin_session {
  my ($plan, $status_end, $waiting, $relay) = @_;
  my ($filter, $filter_end);
  return
    unless sysopen(my $lock, $plan->{lock}, $O_RDWR | $plan->{nofollow})
    && open_hold($plan)
    && pipe($filter, $filter_end);
  # Far less than a pipe holds.
  syswrite $filter_end, $plan->{filter};
  close $filter_end;
  my ($name) = $plan->{folder} =~ m{([^/]*)\z};
  my ($nr_recvmsg, $terminal_kind) = (split /,/, $plan->{numbers})[7, 8];
  syswrite $status_end, "$name $plan->{anchor} $nr_recvmsg $terminal_kind\n";
  # Under numbers that no handle here has, because session.pl would keep those open.
  my @handed_on = map { fcntl($_, $F_DUPFD, 3) // exit 125 } $status_end, $lock, $plan->{hold}, $filter, $relay // ();
  close $_ for $status_end, $lock, $plan->{hold}, $filter, $relay // ();
  @ARGV = (
    $plan->{anchor}, $waiting, join(',', $plan->{numbers}, @handed_on), @{$plan->{words}},
    (map { defined $ENV{$_} ? ('-e', "$_=$ENV{$_}") : () } @{$plan->{passed}}),
    '--', @{$plan->{command}},
  );
  # This process needs these no more: session.pl, which is compiled next, takes their place in memory.
  undef &$_ for \&kept_plan, \&read_plain_form, \&find_folders, \&is_own_folder, \&checked, \&read_plan, \&identity, \&settings,
    \&process_fields, \&read_whole, \&resolver_is_current, \&open_hold, \&remember_terminal, \&asked_plan, \&go_by_node,
    \&by_node_alone, \&adopt_report, \&stop_here, \&read_to_end, \&wait_for;
  $0 = my $program = "$package/templates/host/session.pl";
  do $program;
  die "envs: could not run session.pl: ", $@ || $!, "\n";
}
