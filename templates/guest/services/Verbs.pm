# The verbs of bin/systemctl. Each calls $reply with an exit status and pairs of a stream's number and a text. Statuses as in systemctl(1).
package Verbs;
use v5.12;
use warnings;
use Boot;
use Command;
use Jobs;
use Links;
use Logs;
use Loop;
use Process;
use Report;
use Result;
use Service;
use Text;
use Units;

my ($NOT_ACTIVE, $NO_UNIT, $NOT_THERE) = (3, 4, 5);
# The status of an environment that is to start again: that of the systemd of a container.
my $REBOOT = 133;
my %VERB = (
  start => \&start, stop => \&stop, restart => \&restart, 'try-restart' => \&restart, condrestart => \&restart, reload => \&reload,
  'reload-or-restart' => \&reload, 'try-reload-or-restart' => \&reload, 'force-reload' => \&reload,
  status => \&status, show => \&show, cat => \&cat, kill => \&kill_units, 'is-active' => \&is_active, 'is-failed' => \&is_active, 'is-enabled' => \&is_enabled,
  'is-system-running' => \&is_system_running, 'list-units' => \&list_units, 'list-unit-files' => \&list_files, 'list-timers' => \&list_timers,
  'list-sockets' => \&list_sockets, 'list-dependencies' => \&list_dependencies, enable => \&change_links, disable => \&change_links, mask => \&change_links, unmask => \&change_links,
  reenable => \&change_links, preset => \&change_links, 'daemon-reload' => \&daemon_reload, 'daemon-reexec' => \&daemon_reload, 'reset-failed' => \&reset_failed,
  'get-default' => sub { $_[3]->(0, 1 => default_target()) }, 'set-environment' => \&set_environment,
  'unset-environment' => sub { Command::unset_common(@{$_[2]}); $_[3]->(0) }, 'show-environment' => sub { $_[3]->(0, 1 => join '', Command::common()) }, 'list-jobs' => sub { $_[3]->(0, 1 => Jobs::count() . ' jobs listed.') },
  'is-enabled-any' => \&is_enabled, log => \&log_of, poweroff => \&leave, halt => \&leave, reboot => \&leave, exit => \&leave,
);
our $leave = sub { };
my @waiting_for_boot;

# @param $words - options and names of units, in any order.
sub run {
  my ($verb, $words, $reply) = @_;
  my $call = $VERB{$verb} or return $reply->(1, 2 => "Unknown command verb '$verb'. This is the supervisor of envs: see envs services --help");
  my (%option, @names);
  my @rest = @$words;
  while (defined(my $word = shift @rest)) {
    if ($word eq '--') { push @names, splice @rest }
    elsif ($word =~ /^--([a-z-]+)(?:=(.*))?$/s) { push @{$option{$1}}, $2 // ($1 =~ /^(?:property|type|state|signal|lines|kill-whom|kill-who|job-mode|output)$/ ? shift @rest : 1) }
    elsif ($word =~ /^-([ptsno])(.*)$/s) { push @{$option{{p => 'property', t => 'type', s => 'signal', n => 'lines', o => 'output'}->{$1}}}, length $2 ? $2 : shift @rest }
    elsif ($word =~ /^-([a-zA-Z]+)$/) { $option{{q => 'quiet', a => 'all', f => 'force', r => 'recursive', l => 'full'}->{$_} // $_} = [1] for split //, $1 }
    else { push @names, $word }
  }
  $call->($verb, \%option, \@names, $reply);
}

# Names of units for patterns; a pattern finds loaded units.
sub expand {
  my ($names) = @_;
  return map {
    my $name = Units::full_name($_);
    my $pattern = $name =~ /[*?\[]/ ? Units::glob_pattern($_) : undef;
    $pattern ? (map { $_->{name} } grep { !$_->{is_stub} && Units::is_known($_) && $_->{name} =~ $pattern } Units::loaded()) : $name;
  } @$names;
}

sub start {
  my ($verb, $option, $names, $reply) = @_;
  my @names = expand($names);
  my $is_waiting = !$option->{'no-block'};
  Jobs::start(\@names, sub { $reply->(told('start', shift)) if $is_waiting });
  $reply->(0) unless $is_waiting;
}

sub stop {
  my ($verb, $option, $names, $reply) = @_;
  my @names = expand($names);
  my @absent = grep { !Units::is_known(Units::load($_)) } @names;
  return $reply->($NOT_THERE, 2 => join '', map { "Failed to stop $_: Unit $_ not loaded.\n" } @absent) if @absent;
  Jobs::stop(\@names, sub { $reply->(told('stop', shift)) unless $option->{'no-block'} });
  $reply->(0) if $option->{'no-block'};
}

sub restart {
  my ($verb, $option, $names, $reply) = @_;
  my @names = expand($names);
  @names = grep { Jobs::is_up(Units::load($_)) } @names if $verb ne 'restart';
  Jobs::restart(\@names, sub { $reply->(told('restart', shift)) unless $option->{'no-block'} });
  $reply->(0) if $option->{'no-block'};
}

# Returns the reply for results of jobs.
sub told {
  my ($verb, $results) = @_;
  my ($status, $text) = (0, '');
  for my $name (sort keys %$results) {
    my $result = $results->{$name};
    next if $result =~ /^(?:done|skipped)$/;
    if ($result eq 'not-found') { ($status, $text) = ($NOT_THERE, $text . "Failed to $verb $name: Unit $name not found.\n") }
    elsif ($result eq 'masked') { ($status, $text) = (1, $text . "Failed to $verb $name: Unit $name is masked.\n") }
    else {
      $status = 1;
      my $unit = Units::load($name);
      my $why = $result eq 'dependency' ? 'a unit that it requires failed' : $unit->{error} // $result;
      $text .= "Job for $name failed: $why.\nSee \"systemctl status $name\" and \"systemctl log $name\" for details.\n";
    }
  }
  return ($status, 2 => $text);
}

sub reload {
  my ($verb, $option, $names, $reply) = @_;
  my @names = expand($names);
  my $can_restart = $verb ne 'reload';
  my ($status, $left, @restarts) = (0, scalar @names);
  my $text = '';
  my $end = sub {
    return if --$left > 0;
    return $reply->($status, 2 => $text) unless @restarts;
    Jobs::restart(\@restarts, sub { $reply->(told('restart', shift)) });
  };
  return $reply->(0) unless @names;
  for my $name (@names) {
    my $unit = Units::load($name);
    if ($unit->{load_state} ne 'loaded') { ($status, $text) = ($NOT_THERE, $text . "Failed to reload $name: Unit $name not found.\n") }
    elsif (Units::kind_of($unit) eq 'service' && Jobs::is_up($unit)) {
      Service::reload($unit, sub {
        my ($is_done) = @_;
        if (!$is_done && $can_restart) { push @restarts, $name }
        elsif (!$is_done) { ($status, $text) = (1, $text . "Failed to reload $name: it has no way to reload.\n") }
        $end->();
      });
      next;
    }
    elsif ($verb eq 'reload') { ($status, $text) = (1, $text . "Failed to reload $name: Unit $name is not active.\n") }
    elsif ($verb !~ /^try/)   { push @restarts, $name }
    $end->();
  }
}

sub set_environment {
  my ($verb, $option, $names, $reply) = @_;
  my $wrong = Command::set_common(@$names);
  return $reply->(0) unless defined $wrong;
  $reply->(1, 2 => "Failed to set environment: '$wrong' is no assignment of a variable.\n");
}

sub is_active {
  my ($verb, $option, $names, $reply) = @_;
  my @units = map { Units::load($_) } expand($names);
  my $wanted = $verb eq 'is-failed' ? qr/^failed$/ : qr/^(?:active|reloading)$/;
  my $has_one = grep { $_->{state} =~ $wanted } @units;
  my $is_known = grep { Units::is_known($_) } @units;
  my $status = $has_one ? 0 : $verb eq 'is-failed' ? 1 : $is_known ? $NOT_ACTIVE : $NO_UNIT;
  $reply->($status, $option->{quiet} ? () : (1 => join '', map { "$_->{state}\n" } @units));
}

sub is_enabled {
  my ($verb, $option, $names, $reply) = @_;
  my @states = map { Links::state_of(Units::full_name($_)) } @$names;
  my $is_on = grep { /^(?:enabled|static|alias|indirect|generated)$/ } @states;
  my $text = join '', map { length $_ ? "$_\n" : "not-found\n" } @states;
  $reply->($is_on ? 0 : (grep { length } @states) ? 1 : $NO_UNIT, $option->{quiet} ? () : (1 => $text));
}

sub status {
  my ($verb, $option, $names, $reply) = @_;
  if (!@$names) { return $reply->(0, 1 => '    State: ' . Report::system_state() . "\n   Failed: " . Report::failed() . " units\n") }
  my @units = map { Units::load($_) } expand($names);
  my ($out, $error, $status) = ('', '', 0);
  for my $unit (@units) {
    if (!Units::is_known($unit)) { ($error, $status) = ($error . "Unit $unit->{name} could not be found.\n", $NO_UNIT) }
    else {
      $out .= (length $out ? "\n" : '') . Report::status($unit);
      $status ||= $NOT_ACTIVE unless Jobs::is_up($unit);
    }
  }
  $reply->($status, 1 => $out, 2 => $error);
}

sub show {
  my ($verb, $option, $names, $reply) = @_;
  my @wanted = map { split /,/ } @{$option->{property} // []};
  my $is_bare = exists $option->{value};
  return $reply->(0, 1 => Report::manager_properties(\@wanted, $is_bare)) unless @$names;
  my @units = map { Units::load($_) } expand($names);
  $reply->(0, 1 => join "\n", map { Report::properties($_, \@wanted, $is_bare) } @units);
}

sub cat {
  my ($verb, $option, $names, $reply) = @_;
  my @units = map { Units::load($_) } expand($names);
  my @paths = map { ($_->{path} // (), @{$_->{drop_ins}}) } @units;
  return $reply->(1, 2 => 'No files found.') unless @paths;
  $reply->(0, 1 => join "\n", map { "# $_\n" . (UnitFile::text_of($_) // '') } @paths);
}

sub kill_units {
  my ($verb, $option, $names, $reply) = @_;
  my $signal = Result::signal_number($option->{signal}[-1] // 'TERM') // return $reply->(1, 2 => 'Failed to parse signal.');
  my $whom = $option->{'kill-whom'}[-1] // $option->{'kill-who'}[-1] // 'all';
  for my $unit (map { Units::load($_) } expand($names)) { kill $signal, $whom eq 'main' ? $unit->{main} // () : Process::members($unit) }
  $reply->(0);
}

sub is_system_running {
  my ($verb, $option, $names, $reply) = @_;
  my $answer = sub { my $state = Report::system_state(); $reply->($state eq 'running' ? 0 : 1, $option->{quiet} ? () : (1 => $state)) };
  return push @waiting_for_boot, $answer if $option->{wait} && $Report::is_booting;
  $answer->();
}

sub boot_is_over { $_->() for splice @waiting_for_boot }

sub is_wanted {
  my ($unit, $option) = @_;
  my %type = map { $_ => 1 } map { split /,/ } @{$option->{type} // []};
  my %state = map { $_ => 1 } map { split /,/ } @{$option->{state} // []}, $option->{failed} ? 'failed' : ();
  return 0 if %type && !$type{Units::kind_of($unit)};
  return $state{$unit->{state}} || $state{$unit->{sub}} || $state{$unit->{load_state}} if %state;
  return 1;
}

sub list_units {
  my ($verb, $option, $names, $reply) = @_;
  my @patterns = map { Units::glob_pattern($_) } @$names;
  my @units = grep { my $unit = $_; is_wanted($unit, $option) && (!@patterns || grep { $unit->{name} =~ $_ } @patterns) }
    grep { !$_->{is_stub} && Units::is_known($_) && ($option->{all} || @patterns || $option->{state} || $_->{state} ne 'inactive') } Units::loaded();
  my @rows = map { [@$_{qw(name load_state state sub)}, UnitFile::value($_, 'Unit.Description', $_->{name})] } @units;
  my $text = Report::table($option->{'no-legend'} || ($option->{legend}[-1] // '') eq 'no' ? () : [qw(UNIT LOAD ACTIVE SUB DESCRIPTION)], @rows);
  $text .= "\n" . @rows . " loaded units listed.\n" unless $option->{'no-legend'} || ($option->{legend}[-1] // '') eq 'no';
  $reply->(0, 1 => $text);
}

sub list_files {
  my ($verb, $option, $names, $reply) = @_;
  my %path = Units::all_files();
  my @patterns = map { Units::glob_pattern($_) } @$names;
  my %type = map { $_ => 1 } map { split /,/ } @{$option->{type} // []};
  my %state = map { $_ => 1 } map { split /,/ } @{$option->{state} // []};
  my @rows;
  for my $name (sort keys %path) {
    next if %type && !$type{($name =~ /\.(\w+)$/)[0]} || @patterns && !grep { $name =~ $_ } @patterns;
    my $state = Links::state_of($name);
    push @rows, [$name, $state] if !%state || $state{$state};
  }
  my $has_legend = !$option->{'no-legend'} && ($option->{legend}[-1] // '') ne 'no';
  $reply->(@rows || !@patterns ? 0 : 1, 1 => Report::table($has_legend ? ['UNIT FILE', 'STATE'] : (), @rows) . ($has_legend ? "\n" . @rows . " unit files listed.\n" : ''));
}

sub list_timers {
  my ($verb, $option, $names, $reply) = @_;
  my @rows = map { [defined $_->{next} ? Report::date_of(time + $_->{next} - Loop::now()) : '-', $_->{name}, Units::triggered_by($_)] }
    sort { ($a->{next} // 9e15) <=> ($b->{next} // 9e15) } grep { Units::kind_of($_) eq 'timer' && $_->{state} eq 'active' } Units::loaded();
  $reply->(0, 1 => Report::table([qw(NEXT UNIT ACTIVATES)], @rows) . "\n" . @rows . " timers listed.\n");
}

sub list_sockets {
  my ($verb, $option, $names, $reply) = @_;
  my @rows = map { my $unit = $_; map { [$_ =~ s/ \(\w+\)$//r, $unit->{name}, Units::triggered_by($unit)] } Report::listened($unit) }
    grep { Units::kind_of($_) eq 'socket' && $_->{state} eq 'active' } Units::loaded();
  $reply->(0, 1 => Report::table([qw(LISTEN UNIT ACTIVATES)], @rows) . "\n" . @rows . " sockets listed.\n");
}

sub list_dependencies {
  my ($verb, $option, $names, $reply) = @_;
  my $unit = Units::load(@$names ? Units::full_name($names->[0]) : 'multi-user.target');
  $reply->(0, 1 => join "\n", $unit->{name}, map { "  $_" } Units::requires($unit), Units::wants($unit));
}

sub change_links {
  my ($verb, $option, $names, $reply) = @_;
  my ($status, $text) = (0, '');
  my @names = map { Units::full_name($_) } @$names;
  for my $name (@names) {
    my @steps = $verb eq 'reenable' ? (\&Links::disable, \&Links::enable) : {enable => \&Links::enable, disable => \&Links::disable, mask => \&Links::mask, unmask => \&Links::unmask, preset => \&Links::preset}->{$verb};
    for my $step (@steps) {
      my ($failed, $told) = Units::is_valid_name($name) ? $step->($name) : (1, "Invalid unit name: $name\n");
      ($status, $text) = ($status || $failed, $text . $told);
    }
  }
  Units::reload(\&Jobs::of_unit);
  return $reply->($status, 2 => $option->{quiet} ? '' : $text) if $status || !$option->{now};
  my $end = sub { my ($after, @told) = told($verb, shift); $reply->($after, 2 => $text, @told) };
  $verb =~ /^(?:disable|mask)$/ ? Jobs::stop(\@names, $end) : Jobs::start(\@names, $end);
}

sub daemon_reload {
  my ($verb, $option, $names, $reply) = @_;
  Boot::run_generators();
  Units::reload(\&Jobs::of_unit);
  $reply->(0);
}

sub reset_failed {
  my ($verb, $option, $names, $reply) = @_;
  for my $unit (@$names ? map { Units::load($_) } expand($names) : Units::loaded()) {
    delete $unit->{starts};
    next unless $unit->{state} eq 'failed';
    @$unit{qw(result error)} = ('success', undef);
    Jobs::set_state($unit, 'inactive', 'dead');
  }
  $reply->(0);
}

sub default_target {
  my ($target) = map { (readlink "$_/default.target" // '') =~ m{([^/]+\.target)$} } @Units::FOLDERS;
  return $target // 'multi-user.target';
}

# The last lines of units' logs.
sub log_of {
  my ($verb, $option, $names, $reply) = @_;
  my $count = $option->{lines}[-1] // 50;
  $reply->(0, 1 => join '', map { Logs::tail($_, $count =~ /^\d+$/ ? $count : 50) } map { $_ eq 'syslog' ? $_ : expand([$_]) } @$names);
}

sub leave {
  my ($verb, $option, $names, $reply) = @_;
  $reply->(0);
  my $status = $verb eq 'reboot' ? $REBOOT : $verb eq 'exit' && ($names->[0] // '') =~ /^(\d{1,3})$/ ? $1 & 255 : 0;
  Loop::soon(sub { $leave->($status) });
}

1;
