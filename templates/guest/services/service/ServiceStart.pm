# The start of a service, up to the sign that its type gives: a process, an ended parent, a notice, a name on the bus.
package ServiceStart;
use v5.12;
use warnings;
use Account;
use Command;
use Conditions;
use Jobs;
use Logs;
use Loop;
use Notices;
use POSIX ();
use Process;
use Result;
use UnitFile;

my $PID_FILE_POLL_SECONDS = 0.05;
my $BUS_POLL_SECONDS = 0.1;

sub begin_start {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{restart_timer});
  delete $unit->{is_restarting};
  $unit->{condition_unmet} = undef;
  if (defined(my $unmet = Conditions::unmet($unit, 'Condition'))) {
    $unit->{condition_unmet} = $unmet;
    Jobs::set_state($unit, 'inactive', 'dead');
    return Jobs::finish($unit, 'skipped');
  }
  @$unit{qw(result status main control error invocation)} = ('success', undef, undef, undef, undef, new_id());
  delete @$unit{qw(is_up stop_asked)};
  Jobs::set_state($unit, 'activating', 'start-pre');
  if (defined(my $unmet = Conditions::unmet($unit, 'Assert'))) { return ServiceEnd::fail($unit, 'assert', "$unmet does not hold") }
  if (!Result::may_start($unit)) { return ServiceEnd::fail($unit, 'start-limit-hit', 'started too often') }
  my $account = $unit->{account} = Account::of_unit($unit)
    or return ServiceEnd::fail($unit, 'exit-code', 'no user "' . UnitFile::value($unit, 'Service.User', '') . '" or no such group');
  if (defined(my $path = Account::make_folders($unit, $account))) { return ServiceEnd::fail($unit, 'resources', "could not make $path") }
  Notices::listen_for($unit, $account, \&take_notice) if Service::type_of($unit) =~ /^notify/ || UnitFile::value($unit, 'Service.NotifyAccess', 'none') ne 'none';
  Service::set_deadline($unit, Service::start_timeout($unit), 'TimeoutStartSec=');
  my @commands = map { my ($key, $sub) = @$_; map { {%$_, sub => $sub} } Command::lines($unit, $key) }
    [ExecCondition => 'condition'], [ExecStartPre => 'start-pre'], [ExecStart => 'start'], [ExecStartPost => 'start-post'];
  Service::run_queue($unit, \@commands, \&has_started);
}

sub new_id { return join '', map { sprintf '%08x', int rand 2**32 } 1 .. 4 }

# The bus is asked, because its name is the sign that a service of this type is up.
sub wait_for_bus {
  my ($unit) = @_;
  my $name = UnitFile::value($unit, 'Service.BusName', '');
  my ($program) = grep { -x } '/usr/bin/dbus-send';
  return Service::run_next($unit) if !$program || $name !~ /^[\w.-]+$/;
  my $main = $unit->{main};
  my @words = ($program, qw(--system --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner), "string:$name");
  pipe(my $reader, my $writer) or return Service::run_next($unit);
  defined(my $pid = fork) or return Service::run_next($unit);
  if (!$pid) {
    open(STDOUT, '>&', $writer);
    open(STDERR, '>', '/dev/null');
    exec @words or POSIX::_exit(1);
  }
  close $writer;
  Loop::watch($reader, sub {
    sysread $reader, my $answer, 4096;
    Loop::unwatch($reader);
    close $reader;
    return if $unit->{state} ne 'activating' || ($unit->{main} // 0) != $main;
    return Service::run_next($unit) if ($answer // '') =~ /true/;
    Loop::after($BUS_POLL_SECONDS, sub { wait_for_bus($unit) if $unit->{state} eq 'activating' && ($unit->{main} // 0) == $main });
  });
}

sub has_started {
  my ($unit) = @_;
  Loop::cancel(delete $unit->{deadline});
  $unit->{is_up} = 1;
  my $remains = UnitFile::is_true($unit, 'Service.RemainAfterExit');
  my $is_running = $unit->{main} || Service::type_of($unit) eq 'forking' && (!$remains || Process::members($unit));
  if ($is_running || $remains) {
    Jobs::set_state($unit, 'active', $is_running ? 'running' : 'exited');
    return Jobs::finish($unit, 'done');
  }
  return ServiceEnd::end_of_life($unit);
}

# A forking service's first process has ended: the other one is in its PID file, or the only child.
sub find_main {
  my ($unit, $tries) = @_;
  my $path = UnitFile::value($unit, 'Service.PIDFile');
  if (defined $path) {
    $path = "/run/$path" unless $path =~ m{^/};
    my ($pid) = (UnitFile::text_of($path) // '') =~ /^\s*(\d+)/;
    return adopt_main($unit, $pid) if defined $pid && $pid > 1 && Process::is_alive($pid);
    # Some write it after their parent has ended.
    if (Process::members($unit)) {
      return Loop::after($PID_FILE_POLL_SECONDS, sub { find_main($unit, $tries + 1) if $unit->{state} eq 'activating' });
    }
    return ServiceEnd::fail($unit, 'protocol', "no process for $path");
  }
  if (UnitFile::is_true($unit, 'Service.GuessMainPID', 'yes')) {
    my @orphans = grep { Process::parent_of($_) == $$ } Process::members($unit);
    return adopt_main($unit, $orphans[0]) if @orphans == 1;
  }
  Service::run_next($unit);
}

sub adopt_main {
  my ($unit, $pid) = @_;
  $unit->{main} = $pid;
  Service::remember($unit, $pid);
  Service::run_next($unit) if $unit->{state} eq 'activating';
}

# A message of the service's to its notification socket. See sd_notify(3).
sub take_notice {
  my ($unit, $notice) = @_;
  if (defined(my $pid = $notice->{MAINPID})) { adopt_known_main($unit, $pid) }
  $unit->{text} = $notice->{STATUS} if defined $notice->{STATUS};
  if (($notice->{EXTEND_TIMEOUT_USEC} // '') =~ /^(\d+)$/ && $unit->{deadline}) { Service::set_deadline($unit, $1 / 1e6, 'EXTEND_TIMEOUT_USEC=') }
  if ($notice->{READY} && $unit->{state} eq 'activating' && $unit->{sub} eq 'start' && Service::type_of($unit) =~ /^notify/) { return Service::run_next($unit) }
  if ($notice->{READY} && $unit->{state} eq 'reloading' && !$unit->{control}) { return Service::end_reload($unit) }
  if ($notice->{STOPPING} && $unit->{state} eq 'active') { $unit->{sub} = 'stop' }
}

sub adopt_known_main {
  my ($unit, $pid) = @_;
  return unless $pid =~ /^\d+$/ && grep { $_ == $pid } Process::members($unit);
  $unit->{main} = $pid;
  Service::remember($unit, $pid);
}

1;
