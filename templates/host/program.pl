#!/usr/bin/perl
# Keeps a program of an environment running in the background, for "envs run --detach": one session after another, its output in a log.
#
# usage: program.pl
# Inherited: 3 pipe for the report of the first start; 4 lock of the environment and 5 lock of the program, both held until this process
# ends; 6 fields that each end with a zero byte:
#   FOLDER   state of the program, which no guest sees
#   TITLE    command line of this process, for ps(1) and for messages
#   RESTART  no|on-failure|always
#   PRCTL    number of the system call on this processor
#   CALLER   working folder of the caller
#   WORD...  command line of one session: bin/envs and its arguments
#
# FOLDER has: control, a FIFO for "stop SECONDS" (ends the program, by SIGKILL after SECONDS) and "leave" (no other session);
# state, published by rename; log and log.1, each line as TIME, ">" for output or "#" for a message of this program, and text.
#
# The report is "started", or "failed" and the failure as JSON, or "ended" and the status of a session that told nothing.
# The session gets a descriptor for the same words in ENVS_START_REPORT; its end is the end of the session.
# Only perl-base may be there.
use v5.12;
use warnings;

my ($SIGKILL, $PR_SET_PDEATHSIG) = (9, 1);
my ($O_RDWR, $O_WRONLY, $O_CREAT, $O_APPEND, $O_NONBLOCK) = (2, 1, 0100, 02000, 04000);
my ($F_SETFD, $F_GETFL, $F_SETFL, $EINTR) = (2, 3, 4, 4);
my $MAX_FIELDS_BYTES = 1 << 21;
my $MAX_REPORT_BYTES = 65536;
# Two such files at most.
my $MAX_LOG_BYTES = 4 << 20;
my $MAX_LINE_BYTES = 16384;
# Seconds before a restart: the first pause, the longest, and the time after which a session counts as a success.
my ($FIRST_PAUSE, $LONGEST_PAUSE, $STEADY) = (1, 60, 10);

BEGIN { $^F = 2 }    # every descriptor above standard error is closed at exec

my $report = adopt(3, '>');
my @locks = (adopt(4, '<'), adopt(5, '<'));
my ($folder, $title, $policy, $nr_prctl, $caller, @words) = split /\0/, read_whole(adopt(6, '<'));
delete @ENV{qw(ENVS_HAND_OVER)};
$0 = $title;
chdir '/';
my $umask = umask 077;
$SIG{PIPE} = 'IGNORE';

my ($log, $log_bytes);
open_log();
sysopen(my $control, "$folder/control", $O_RDWR | $O_NONBLOCK) or die "envs: $folder/control: $!\n";
pipe(my $output, my $output_end) or die "envs: pipe: $!\n";
fcntl($output, $F_SETFL, fcntl($output, $F_GETFL, 0) | $O_NONBLOCK);
# As if somebody had written it.
$SIG{$_} = sub { syswrite $control, "stop 5\n" } for qw(TERM INT HUP);

my %state = (state => 'starting', pid => $$, since => time, restarts => 0, status => undef, isStopped => 0);
# Undefined until a word came: no other session, and the time of SIGKILL.
my ($is_last, $kill_at) = (0);
my ($session, $told, $partial, $words_in) = (0, '', '', '');
my ($pause, $has_ever_started) = ($FIRST_PAUSE, 0);
while (1) {
  publish(state => 'starting', since => time);
  my $began = time;
  my ($has_started, $status) = run_session();
  publish(status => $status, since => time);
  $has_ever_started ||= $has_started;
  # The caller tells why the first one did not start.
  last if $is_last || !$has_ever_started;
  last if $policy eq 'no' || ($policy eq 'on-failure' && $status == 0);
  $pause = $FIRST_PAUSE if $has_started && time - $began >= $STEADY;
  note("ended with status $status; starts again in $pause s");
  publish(state => 'waiting');
  my $until = time + $pause;
  while (!$is_last && time < $until) { attend($until - time) }
  last if $is_last;
  $pause = $pause * 2 > $LONGEST_PAUSE ? $LONGEST_PAUSE : $pause * 2;
  $state{restarts}++;
}
note("ended with status $state{status}") if defined $state{status};
publish(state => 'ended', isStopped => $is_last ? 1 : 0);
close_report("ended $state{status}\n");

sub adopt {
  my ($number, $mode) = @_;
  open(my $handle, "$mode&=", $number) or die "envs: descriptor $number is missing\n";
  # It was inherited, so children would inherit it too.
  fcntl($handle, $F_SETFD, 1);
  return $handle;
}

sub read_whole {
  my ($handle) = @_;
  my ($text, $got) = ('');
  do { $got = sysread($handle, $text, 65536, length $text) } while ($got && length $text <= $MAX_FIELDS_BYTES) || (!defined $got && $! == $EINTR);
  return $text;
}

# Runs one session to its end. Returns whether its command has started, and its status as a shell has it.
sub run_session {
  pipe(my $reports, my $reporter) or return (0, 125);
  my $keeper = $$;
  $session = fork() // return (0, 125);
  become_session($reporter, $keeper) if $session == 0;
  close $reporter;
  $told = '';
  my $has_started = 0;
  ($kill_at) = ();
  while (my $open = attend(undef, $reports)) {
    next if $has_started || $told !~ /^started\n/;
    $has_started = 1;
    publish(state => 'running', since => time);
    close_report("started\n");
  }
  close $reports;
  # Before the end of the caller's patience: the words say why.
  if ($report && !$has_started && $told =~ /^failed /) { close_report($told) }
  waitpid $session, 0;
  my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
  $session = 0;
  take_output();
  end_line();
  return ($has_started || $told =~ /^started\n/ ? 1 : 0, $status);
}

sub become_session {
  my ($reporter, $keeper) = @_;
  # A program that nobody keeps ends: its session gets SIGHUP.
  syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0);
  exit 125 if getppid() != $keeper;
  $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
  umask $umask;
  chdir $caller;
  fcntl($reporter, $F_SETFD, 0);
  $ENV{ENVS_START_REPORT} = fileno $reporter;
  open(STDIN, '<', '/dev/null');
  open(STDOUT, '>&', $output_end) or exit 125;
  open(STDERR, '>&', $output_end) or exit 125;
  no warnings 'exec';    # the next line tells it
  exec { $words[0] } @words or print STDERR "envs: $words[0]: $!\n";
  exit 125;
}

# Waits for something to do, and does it. Returns false at the end of the session's report.
sub attend {
  my ($seconds, $reports) = @_;
  my $wanted = '';
  vec($wanted, fileno $_, 1) = 1 for $control, $output, $reports // ();
  my $left = defined $kill_at ? $kill_at - time : $seconds;
  my $found = select(my $ready = $wanted, undef, undef, defined $left && $left < 0 ? 0 : $left);
  if (defined $kill_at && time >= $kill_at) {
    kill KILL => $session if $session;
    $kill_at = undef;
  }
  return 1 if $found <= 0;
  take_output() if vec($ready, fileno $output, 1);
  take_words() if vec($ready, fileno $control, 1);
  if ($reports && vec($ready, fileno $reports, 1)) {
    my $got = sysread($reports, $told, 4096, length $told);
    $told = substr $told, 0, $MAX_REPORT_BYTES;
    return $got || (!defined $got && $! == $EINTR);
  }
  return 1;
}

sub take_words {
  sysread($control, $words_in, 4096, length $words_in) or return;
  while ($words_in =~ s/^([^\n]*)\n//) {
    my ($word, $seconds) = split / /, $1;
    next unless ($word // '') =~ /^(?:stop|leave)$/;
    $is_last = 1;
    next if $word eq 'leave' || !$session;
    kill TERM => $session unless defined $kill_at;
    $kill_at = time + (($seconds // '') =~ /^[0-9]{1,6}$/ ? $seconds : 5);
  }
}

# A part of a flood, so that words are heard too.
sub take_output {
  for (1 .. 16) {
    sysread($output, my $piece, 65536) or last;
    $partial .= $piece;
    my @lines;
    push @lines, $1 while $partial =~ s/^([^\n]{$MAX_LINE_BYTES}|[^\n]*\n)//;
    write_log(join '', map { line('>', $_) } @lines);
  }
}

sub end_line {
  write_log(line('>', $partial)) if length $partial;
  $partial = '';
}

sub note { write_log(line('#', $_[0])) }

sub line {
  my ($mark, $text) = @_;
  chomp $text;
  my @now = gmtime;
  return sprintf "%04d-%02d-%02dT%02d:%02d:%02dZ %s %s\n", $now[5] + 1900, $now[4] + 1, @now[3, 2, 1, 0], $mark, $text;
}

# Lines are lost where the disk is full: the program continues.
sub write_log {
  my ($text) = @_;
  return unless length $text && $log;
  $log_bytes += syswrite($log, $text) // 0;
  return if $log_bytes < $MAX_LOG_BYTES;
  close $log;
  rename "$folder/log", "$folder/log.1";
  open_log();
}

sub open_log {
  sysopen($log, "$folder/log", $O_WRONLY | $O_CREAT | $O_APPEND, 0600) or undef $log;
  $log_bytes = $log ? -s $log : 0;
}

sub publish {
  %state = (%state, @_);
  my %text = map { $_ => $state{$_} // 'null' } keys %state;
  open(my $file, '>', "$folder/state.partial") or return;
  print $file qq({"schemaVersion":1,"state":"$text{state}","pid":$text{pid},"since":$text{since},),
    qq("restarts":$text{restarts},"status":$text{status},"isStopped":@{[$state{isStopped} ? 'true' : 'false']}}\n);
  close $file and rename "$folder/state.partial", "$folder/state";
}

# A caller that is gone has been interrupted: the program ends too.
sub close_report {
  my ($text) = @_;
  return unless $report;
  my $is_heard = defined syswrite $report, $text;
  close $report;
  undef $report;
  syswrite $control, "stop 5\n" unless $is_heard;
}
