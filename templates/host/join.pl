#!/usr/bin/perl
# A session of `run` or `enter` without Node, which takes longer to start than most commands to run, and more memory than
# all the rest of a session.
#
# usage: join.pl VERB ARGUMENT...
#
# It goes by a plan, which src/sandbox/join-plan.ts writes and tells the fields of. A plain session, `run NAME [--]
# COMMAND...` or `enter NAME`, of an environment that is up has one kept in its run/join; it is followed only while nothing
# has changed that it depends on: the build of envs, the settings, the process that is to be joined. Else envs.js is asked
# for one, with the same arguments; it starts what is down, and tells what it refuses. Where the plan fails, envs.js is
# executed to do it all itself: it tries again, and has the words for what goes wrong. Nothing of the command has run by then.
#
# This process stays on the host, passes signals on and waits, as envs.js does; its child is session.pl, which joins, and whose
# command is in a session of its own: no signal of the caller's terminal reaches it but by this process.
# Plain Perl without modules: loading warnings alone takes as long as all the rest. "use v5.12" turns strict on without reading strict.pm.
use v5.12;

BEGIN { $^F = 2 }    # every descriptor above standard error is closed at exec

my ($O_RDONLY, $O_RDWR, $O_NONBLOCK) = (0, 2, 04000);
my ($ENOENT, $EINTR, $SIGKILL) = (2, 4, 9);
my ($F_DUPFD, $F_SETFD) = (0, 2);
my $MAX_PLAN_BYTES = 262144;
my $MAX_SETTINGS_BYTES = 65536;
my $MOST_LINKS = 40;
# What stands for a build of envs, as src/sandbox/join-plan.ts has it.
my @SESSION_PROGRAMS = map { "templates/host/$_" } qw(session.pl session/terminal.pl session/streams.pl session/volumes.pl session/single-id.pl join.pl);
my %is_run = map { $_ => 1 } qw(run exec);
my %is_enter = map { $_ => 1 } qw(enter login shell sh);
my @PASSED_ON = qw(HUP INT QUIT TERM USR1 USR2 CONT WINCH);
# Who reads them: src/environments/typed-session.ts.
my @VARIABLES_THAT_MATTER = qw(ENVS_DURABLE ENVS_ENGINE);

delete $ENV{PERL_BADLANG};
my @typed = @ARGV;
my ($package) = $0 =~ m{^(.*)/templates/host/[^/]*$} or die "envs: join.pl is not in its place\n";
$SIG{CHLD} = 'DEFAULT';    # ignored, it would take the end of a child away
join_session(kept_plan() // asked_plan());

# That of a plain session: undef where there is none that holds.
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
  return unless resolver_is_current($plan) && utime(undef, undef, "$folder/last-used") == 1;
  return $plan;
}

# What envs.js writes to a pipe; its end without a word is the end of all.
sub asked_plan {
  pipe(my $reader, my $writer) or go_by_node();
  my $child = fork_receiver();
  if ($child == 0) {
    $ENV{ENVS_HAND_OVER} = fileno $writer;
    fcntl($writer, $F_SETFD, 0);
    go_by_node();
  }
  close $writer;
  my $status = wait_for($child, $reader, \my $text);
  exit $status unless $status == 0 && length $text;
  return read_plan($text) // go_by_node();
}

# As readSessionLine of src/plain-session.ts has it, without its flags; and what a shim with volumes says, in no other spelling.
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
  # The rule of src/environments/name.ts; a wrong one is for envs.js to refuse.
  return unless ($name // '') =~ /^[a-z0-9][a-z0-9_.-]{0,62}\z/;
  if ($is_enter{$verb}) { return @rest ? () : ($name, []) }
  return unless $is_run{$verb};
  shift @rest if @rest && $rest[0] eq '--';
  return @rest ? ($name, \@shares, @rest) : ();
}

sub go_by_node {
  exec { 'node' } 'node', "$package/bin/envs.js", @typed or node_is_missing();
}

sub node_is_missing {
  print STDERR "envs: Node.js was not found.\n  Install Node.js 20.17 or later; your own copy of it needs no administrator.\n";
  exit 125;
}

# The same as src/host/paths.ts; nothing where that would normalize, or refuse.
sub find_folders {
  my $own = $ENV{ENVS_HOME} // '';
  return checked("$own/data", "$own/config") if length $own;
  my $home = $ENV{HOME} // '';
  return unless length $home;
  return checked(map { ($_->[0] // '') =~ m{^/} ? "$_->[0]/envs" : "$home/$_->[1]/envs" }
    [$ENV{XDG_DATA_HOME}, '.local/share'], [$ENV{XDG_CONFIG_HOME}, '.config']);
}

# The rules of src/host/own-folders.ts. False where these refuse, and where only envs.js can tell.
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

# A plan of this build and this user, for the process that is there.
sub read_plan {
  my ($text) = @_;
  return unless defined $text;
  my @fields = split /\0/, $text, -1;
  pop @fields;    # what follows the last end of a field
  my ($format, $build, $user, $settings, $boot, $anchor, $started, $nofollow, $numbers, $filter, $folder, $lock) = splice @fields, 0, 12;
  return unless ($format // '') eq 'envs-join-2' && $user eq $<;
  return unless $build eq join(' ', map { identity("$package/$_") } 'dist', @SESSION_PROGRAMS);
  return unless $boot eq (read_whole('/proc/sys/kernel/random/boot_id', $O_RDONLY, 64) // '') =~ s/\n\z//r;
  my @process = process_fields($anchor);
  return unless @process && $process[0] !~ /[ZX]/ && $process[19] eq $started;
  my @words = splice @fields, 0, shift @fields;
  my @passed = splice @fields, 0, shift @fields;
  return {
    settings => $settings, anchor => $anchor, nofollow => $nofollow, numbers => $numbers, filter => pack('H*', $filter),
    folder => $folder, lock => $lock, words => \@words, passed => \@passed, command => \@fields,
  };
}

sub identity {
  my @facts = stat $_[0] or return 'none';
  return join ':', @facts[0, 1, 7, 10];
}

# What the file of settings says; one that is too large, or not to be read, is like no plan's.
sub settings {
  my ($path) = @_;
  return '-' unless -e $path || $! != $ENOENT;
  return '+' . (read_whole($path, $O_RDONLY, $MAX_SETTINGS_BYTES) // return '');
}

# From the third field on. See proc_pid_stat(5): the second may have anything in it.
sub process_fields {
  my $text = read_whole("/proc/$_[0]/stat", $O_RDONLY, 4096) // return;
  return split / /, $text =~ s/^.*\) //sr;
}

# All of a small regular file; undef for anything else.
sub read_whole {
  my ($path, $flags, $most) = @_;
  sysopen(my $file, $path, $flags | $O_NONBLOCK) or return;
  return unless -f $file;
  my $text = '';
  while (my $got = sysread($file, $text, 65536, length $text)) { return if length $text > $most }
  return $text;
}

# Executes session.pl in a child, unless something is not as it was when the plan was made.
sub join_session {
  my ($plan) = @_;
  my ($status, $status_end, $filter, $filter_end);
  go_by_node()
    unless sysopen(my $lock, $plan->{lock}, $O_RDWR | $plan->{nofollow})
    && sysopen(my $hold, "$plan->{folder}/run/hold", $O_RDWR | $plan->{nofollow})
    && pipe($status, $status_end)
    && pipe($filter, $filter_end);
  # Far less than a pipe holds.
  syswrite $filter_end, $plan->{filter};
  close $filter_end;
  my $terminal = remember_terminal($plan->{numbers});
  my $waiting = $$;
  my $child = fork_receiver();
  if ($child == 0) {
    $SIG{$_} = 'DEFAULT' for grep { !/^(?:KILL|STOP|NUM|RT|ZERO|CLD|POLL|IOT|UNUSED)/ } keys %SIG;
    # By numbers that no handle here has, or what session.pl closes would stay open.
    my @handed_on = map { fcntl($_, $F_DUPFD, 3) } $status_end, $lock, $hold, $filter;
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
  my $ended = wait_for($child, $status, \my $told);
  # It was killed, and with it perhaps what relays the terminal.
  my $signal = $? & 127;
  ioctl($terminal->{stream}, $terminal->{set}, $terminal->{attributes}) if $terminal && $signal;
  # Nothing of the command has run unless that was said. An interruption was meant for all, however early it came.
  go_by_node() unless $told eq "started\n" || ($signal && $signal != $SIGKILL);
  exit $ended;
}

# How the terminal is now, if one of the streams is one. See session/terminal.pl for the numbers.
sub remember_terminal {
  my ($get, $set) = $_[0] =~ /,power\z/ ? (0x402c7413, 0x802c7415) : (0x5401, 0x5403);
  for my $stream (\*STDIN, \*STDOUT, \*STDERR) {
    my $attributes = "\0" x 64;
    return {stream => $stream, set => $set, attributes => $attributes} if ioctl($stream, $get, $attributes);
  }
  return;
}

# A child that gets the signals which src/sandbox/signals.ts passes on, also those that come as soon as it runs.
sub fork_receiver {
  my ($child, @early);
  my $pass_on = sub {
    if   ($child) { kill $_[0] => $child }
    else          { push @early, $_[0] }
  };
  $SIG{$_} = $pass_on for @PASSED_ON;
  # A terminal that is standard input stops nobody by itself: what relays it stops this process with all of the job.
  $SIG{TSTP} = sub { $pass_on->('TSTP'); stop_here($_[0]) }
    unless -t STDIN;
  $child = fork() // go_by_node();
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

# Reads $from to its end, then waits for the child. Gives what a shell would call the status.
sub wait_for {
  my ($child, $from, $text) = @_;
  $$text = '';
  my $got;
  do { $got = sysread($from, $$text, 65536, length $$text) } while $got || (!defined $got && $! == $EINTR);
  waitpid $child, 0;
  my $end = $?;
  $SIG{$_} = 'DEFAULT' for @PASSED_ON, 'TSTP';
  $? = $end;
  return $end & 127 ? 128 + ($end & 127) : $end >> 8;
}

# Whether the guest has the host's resolver settings of now. In that folder everything is the guest's word.
sub resolver_is_current {
  my ($plan) = @_;
  my $hosts = read_whole('/etc/resolv.conf', $O_RDONLY, $MAX_SETTINGS_BYTES) // '';
  my $guests = read_whole("$plan->{folder}/run/resolver/resolv.conf", $plan->{nofollow}, $MAX_SETTINGS_BYTES);
  return defined $guests && $guests eq $hosts;
}
