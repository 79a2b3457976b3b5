#!/usr/bin/perl
# A session of `run` or `enter` without Node, which takes longer to start than most commands run, and more memory than
# the rest of a session.
#
# usage: join.pl VERB ARGUMENT...
#
# It follows a plan; src/sandbox/join-plan.ts writes plans and describes their fields. A plain session, `run NAME [--]
# COMMAND...` or `enter NAME`, of a running environment has a plan in its run/join, which is valid while its conditions hold:
# the build of envs, the settings, the process to join. Otherwise envs.js makes a plan, with the same arguments: it starts a
# stopped environment, and prints errors of the command line. If the plan fails, this program executes envs.js, which tries
# again by itself and prints the error. The command has not run by then.
#
# This process stays on the host, passes signals on and waits, as envs.js does; its child is session.pl, which joins, and whose
# command is in a session of its own: no signal of the caller's terminal reaches it but by this process.
# Plain Perl without modules: loading warnings alone takes as long as all the rest. "use v5.12" turns strict on without reading strict.pm.
use v5.12;

BEGIN { $^F = 2 }    # every descriptor above standard error is closed at exec

my ($O_RDONLY, $O_RDWR, $O_NONBLOCK) = (0, 2, 04000);
my ($ENOENT, $EINTR, $SIGKILL) = (2, 4, 9);
my ($F_DUPFD, $F_SETFD) = (0, 2);
my ($LOCK_SH, $LOCK_NB) = (1, 4);
# Commands that join/notes.pl explains even if they succeed.
my $STARTS_SERVICE = qr{^(?:.*/)?service\z|^/etc/init\.d/}s;
my $MAX_PLAN_BYTES = 262144;
my $MAX_SETTINGS_BYTES = 65536;
my $MOST_LINKS = 40;
# The files that identify a build of envs, as in src/sandbox/join-plan.ts.
my @SESSION_PROGRAMS = map { "templates/host/$_" } qw(session.pl session/terminal.pl session/streams.pl session/volumes.pl session/single-id.pl session/network.pl join.pl);
my %is_run = map { $_ => 1 } qw(run exec);
my %is_enter = map { $_ => 1 } qw(enter login shell sh);
my @PASSED_ON = qw(HUP INT QUIT TERM USR1 USR2 CONT WINCH);
# Who reads them: src/environments/session/typed-session.ts.
my @VARIABLES_THAT_MATTER = qw(ENVS_DURABLE ENVS_ENGINE);

delete $ENV{PERL_BADLANG};
our @typed = @ARGV;
# Signals that the caller ignores, as nohup(1) does, stay ignored here, and reach no process of envs.
our @ignored = grep { ($SIG{$_} // '') eq 'IGNORE' } @PASSED_ON, 'TSTP';
my %is_ignored = map { $_ => 1 } @ignored;
our ($package) = $0 =~ m{^(.*)/templates/host/[^/]*$} or die "envs: join.pl is not in its place\n";
$SIG{CHLD} = 'DEFAULT';    # ignored, it would take the end of a child away
# Of program.pl, which wants to know of the start of the command, and of this process's end.
our $report = adopt_report(delete $ENV{ENVS_START_REPORT});
our $is_session = $is_run{$typed[0] // ''} || $is_enter{$typed[0] // ''};
go_by_node() unless $is_session;    # bin/envs sends it, because signals are ignored or limits are low
join_session(kept_plan() // asked_plan());

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
  return unless helpers_run($plan) && resolver_is_current($plan) && utime(undef, undef, "$folder/last-used") == 1;
  return $plan;
}

# The way by Node, which is the rarer one: join/by-node.pl. Ends this program.
sub go_by_node {
  require "$package/templates/host/join/by-node.pl";
  run_node();
}

# Where no process can be made.
sub by_node_alone {
  require "$package/templates/host/join/by-node.pl";
  become_node();
}

sub asked_plan {
  require "$package/templates/host/join/by-node.pl";
  return plan_of_node();
}

sub open_hold {
  my ($plan) = @_;
  sysopen($plan->{hold}, "$plan->{folder}/run/hold", $O_RDWR | $plan->{nofollow}) unless $plan->{hold};
  return defined fileno($plan->{hold});
}

# Child processes get it only where they are to report.
sub adopt_report {
  my ($number) = @_;
  return unless ($number // '') =~ /^[0-9]{1,6}\z/ && open(my $handle, '>&=', $number);
  fcntl($handle, $F_SETFD, 1);
  return $handle;
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

# Executes session.pl in a child, unless a condition of the plan has changed.
sub join_session {
  my ($plan) = @_;
  my ($status, $status_end, $filter, $filter_end);
  go_by_node()
    unless sysopen(my $lock, $plan->{lock}, $O_RDWR | $plan->{nofollow})
    && open_hold($plan)
    && pipe($status, $status_end)
    && pipe($filter, $filter_end);
  my $hold = $plan->{hold};
  # Far less than a pipe holds.
  syswrite $filter_end, $plan->{filter};
  close $filter_end;
  my $terminal = remember_terminal($plan->{numbers});
  my $waiting = $$;
  my $child = fork_receiver();
  if ($child == 0) {
    # Until it has a session of its own, session.pl ignores the same ones; the command does not.
    $SIG{$_} = 'DEFAULT' for grep { !$is_ignored{$_} && !/^(?:KILL|STOP|NUM|RT|ZERO|CLD|POLL|IOT|UNUSED)/ } keys %SIG;
    # Under numbers that no handle here has, because session.pl would keep those open.
    my @handed_on = map { fcntl($_, $F_DUPFD, 3) // exit 125 } $status_end, $lock, $hold, $filter;
    close $_ for $status, $status_end, $lock, $hold, $filter, $filter_end;
    @ARGV = (
      $plan->{anchor}, $waiting, join(',', $plan->{numbers}, @handed_on), @{$plan->{words}},
      (map { defined $ENV{$_} ? ('-e', "$_=$ENV{$_}") : () } @{$plan->{passed}}),
      '--', @{$plan->{command}},
    );
    $0 = my $program = "$package/templates/host/session.pl";
    do $program;
    die "envs: could not run session.pl: ", $@ || $!, "\n";
  }
  close $_ for $status_end, $filter;
  my $told = read_to_end($status);
  syswrite $report, $told if $report && $told eq "started\n";
  my $ended = wait_for($child);
  # session.pl was killed, and possibly the relay of the terminal.
  my $signal = $? & 127;
  ioctl($terminal->{stream}, $terminal->{set}, $terminal->{attributes}) if $terminal && $signal;
  # Without that word, the command has not run. An early interruption was meant for both.
  go_by_node() unless $told eq "started\n" || ($signal && $signal != $SIGKILL);
  if (-t STDERR && (@{$plan->{command}} ? $ended != 0 || $plan->{command}[0] =~ $STARTS_SERVICE : $terminal)) {
    require "$package/templates/host/join/notes.pl";
    my ($name) = $plan->{folder} =~ m{([^/]*)\z};
    note_what_goes_on($name, $plan->{anchor}) if !@{$plan->{command}} && $terminal;
    note_what_is_missing($name, $ended, @{$plan->{command}}) if @{$plan->{command}};
  }
  exit $ended;
}

# Records the state of the terminal, if one of the streams is one. See session/terminal.pl for the numbers.
sub remember_terminal {
  my ($get, $set) = $_[0] =~ /,power\z/ ? (0x402c7413, 0x802c7415) : (0x5401, 0x5403);
  for my $stream (\*STDIN, \*STDOUT, \*STDERR) {
    my $attributes = "\0" x 64;
    return {stream => $stream, set => $set, attributes => $attributes} if ioctl($stream, $get, $attributes);
  }
  return;
}

# Forks a child that gets the signals that src/sandbox/session.ts passes on, from its start on.
sub fork_receiver {
  my ($child, @early);
  my $pass_on = sub {
    if   ($child) { kill $_[0] => $child }
    else          { push @early, $_[0] }
  };
  $SIG{$_} = $pass_on for grep { !$is_ignored{$_} } @PASSED_ON;
  # A terminal as standard input stops no process by itself: the relay stops this process with the whole job.
  $SIG{TSTP} = sub { $pass_on->('TSTP'); stop_here($_[0]) }
    unless $is_ignored{TSTP} || -t STDIN;
  $child = fork() // by_node_alone();
  if ($child != 0) { kill $_ => $child for splice @early }
  return $child;
}

sub stop_here {
  my ($signal) = @_;
  my $handler = $SIG{$signal};
  $SIG{$signal} = 'DEFAULT';
  kill $signal => $$;
  $SIG{$signal} = $handler;
}

sub read_to_end {
  my ($from) = @_;
  my ($text, $got) = ('');
  do { $got = sysread($from, $text, 65536, length $text) } while $got || (!defined $got && $! == $EINTR);
  return $text;
}

# Waits for the child. Returns the status as a shell does.
sub wait_for {
  my ($child) = @_;
  waitpid $child, 0;
  my $end = $?;
  $SIG{$_} = 'DEFAULT' for grep { !$is_ignored{$_} } @PASSED_ON, 'TSTP';
  $? = $end;
  return $end & 127 ? 128 + ($end & 127) : $end >> 8;
}

# Returns whether all programs that serve the network run: else Node starts them again.
sub helpers_run {
  my ($plan) = @_;
  for my $path (@{$plan->{helpers}}) {
    return unless sysopen(my $lock, $path, $O_RDWR | $plan->{nofollow});
    return if flock($lock, $LOCK_SH | $LOCK_NB);
  }
  return 1;
}

# Returns whether the guest has the host's current resolver settings. All files in that folder are untrusted.
sub resolver_is_current {
  my ($plan) = @_;
  my $hosts = read_whole('/etc/resolv.conf', $O_RDONLY, $MAX_SETTINGS_BYTES) // '';
  # As src/features/resolver.ts: the host's servers may not be reached from another network.
  my ($head) = $plan->{resolver} =~ /^\+(.*)/s;
  $hosts = $head . $hosts =~ s/^[ \t]*nameserver\b.*\n?//gmr if defined $head;
  my $guests = read_whole("$plan->{folder}/run/resolver/resolv.conf", $plan->{nofollow}, $MAX_SETTINGS_BYTES);
  return defined $guests && $guests eq $hosts;
}
