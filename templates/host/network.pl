#!/usr/bin/perl
# Runs the program that leads out of the network of a running environment, and ends with either.
#
# usage: network.pl ANCHOR STARTED NUMBERS STATE TOOL PROGRAM RESOLVER [ALLOWED...]
#   ANCHOR   process id of the environment's pid 1 on the host; STARTED its start time
#   NUMBERS  system calls setns, prctl and prlimit64 on this processor, then "power" or "generic", separated by commas
#   STATE    file with the process id and start time of the tool, which outlives this program if this is killed
#   TOOL     pasta or slirp4netns; PROGRAM its path
#   RESOLVER the address at which the guest asks for names
#   ALLOWED  networks as ADDRESS/LENGTH, the only ones that the guest reaches; left out, all
# Inherited: 3 status pipe, 4 lock, held as long as this program runs.
#
# The status pipe gets "ready", or "failed STAGE ERRNO TEXT". When the tool ends, so does this program: the next session starts
# both again. The host's own addresses lead nowhere in the guest, also those that the host gets later.
# Plain Perl without modules, as session.pl. See network/namespace.pl and network/routes.pl.
use v5.12;
use warnings;

my $PR_SET_CHILD_SUBREAPER = 36;
my $MOST_TEXT = 400;
# Tries to end a tool that an earlier run left.
my $MOST_TRIES = 200;

BEGIN { $^F = 4 }

my ($anchor, $started, $numbers, $state, $tool, $program, $resolver, @allowed) = @ARGV;
my ($folder) = $0 =~ m{^(.*)/};
require "$folder/network/namespace.pl";
our $report;
open($report, '>&=', 3) or exit 1;
fcntl($report, 2, 1);
my $network = open_network($anchor, $numbers);
my $watch = watch_anchor($anchor, $started);
require "$folder/network/routes.pl";
end_former($state);
my $addresses = open_host_addresses();
my @forbidden = host_addresses($addresses);
syscall($network->{prctl}, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or give_up('prctl');
pipe(my $wakes, my $wake) or give_up('pipe');
$SIG{CHLD} = sub { syswrite $wake, 'x' };
pass_on(inside_network($network, \&refuse_advertisements)) if @allowed;
my ($pid, $exit_end) = $tool eq 'pasta' ? start_pasta() : start_slirp();
record($pid);
pass_on(inside_network($network, sub {
  allow_only(packed($resolver), map { [packed($_->[0]), $_->[1]] } map { [split m{/}] } @allowed) if @allowed;
  forbid_addresses(@forbidden);
}));
syswrite $report, "ready\n";
close $report;
open($report, '>', '/dev/null');
wait_for_end();
exit 0;

sub pass_on {
  my ($words) = @_;
  return if $words eq '';
  syswrite $report, $words;
  kill 'KILL', $pid if $pid;
  exit 1;
}

# slirp4netns is a router of IPv6 too: its advertisement would bring a default route after the routes of the list.
sub refuse_advertisements {
  -e '/proc/sys/net/ipv6' or return;
  for my $name (qw(all default)) {
    open(my $file, '>', "/proc/sys/net/ipv6/conf/$name/accept_ra") or give_up('settings');
    defined syswrite $file, 0 or give_up('settings');
  }
}

# A tool whose keeper was killed serves the network still, and would prevent another.
sub end_former {
  my ($path) = @_;
  open(my $file, '<', $path) or return;
  my ($former, $since) = (<$file> // '') =~ /^(\d+) (\d+)$/ or return;
  return unless is_anchor($former, $since);
  kill 'KILL', $former;
  for (1 .. $MOST_TRIES) { is_anchor($former, $since) ? select(undef, undef, undef, 0.01) : return }
}

sub record {
  my ($of) = @_;
  open(my $stat, '<', "/proc/$of/stat") or give_up('tool');
  my $since = (split / /, (<$stat> // '') =~ s/^.*\) //sr)[19] // give_up('tool');
  open(my $file, '>', "$state.new") or give_up('state');
  syswrite $file, "$of $since\n";
  close $file;
  rename "$state.new", $state or give_up('state');
}

# Runs pasta, which leaves a process in the background when it is ready: this program is that one's parent.
sub start_pasta {
  my @way = $network->{is_of_host} ? qw(--runas 0) : ('--userns', "/proc/$$/fd/" . fileno $network->{owner});
  my @words = (qw(--config-net --quiet --no-map-gw --dns-forward), $resolver, qw(--no-dhcp --no-dhcpv6 --no-ra --ns-ifname eth0),
    qw(-t none -u none -T none -U none), @way, '--netns', "/proc/$anchor/ns/net");
  # Before 2024-08 pasta does not know this option, and has not what it forbids.
  my ($status, $text) = run_pasta(qw(--map-guest-addr none), @words);
  my ($second) = $status == 0 ? $status : run_pasta(@words);
  give_up('tool', $text) if $status != 0 && $second != 0;
  return (living_child() // give_up('tool'), undef);
}

sub run_pasta {
  my (@words) = @_;
  pipe(my $from, my $to) or give_up('pipe');
  my $child = fork() // give_up('fork');
  if ($child == 0) { run_tool($to, undef, $program, @words) }
  close $to;
  # The one in the background has it open too.
  waitpid $child, 0;
  my $status = $?;
  my $text = $status == 0 ? '' : read_text($from);
  return ($status, $text);
}

sub read_text {
  my ($from) = @_;
  sysread $from, my $text, 4096;
  $text = (split /\n/, $text // '')[-1] // '';
  $text =~ s/[^ -~]/?/g;
  return substr $text, 0, $MOST_TEXT;
}

# slirp4netns stays in the foreground, and ends when the other end of a pipe is closed.
sub start_slirp {
  pipe(my $ready, my $is_ready) && pipe(my $exit, my $ends) && pipe(my $from, my $to) or give_up('pipe');
  my @way = $network->{is_of_host} ? () : ('--userns-path', "/proc/$$/fd/" . fileno $network->{owner});
  my $child = fork() // give_up('fork');
  if ($child == 0) {
    close $ends;
    fcntl($_, 2, 0) for $is_ready, $exit;
    run_tool($to, [$is_ready, $exit], $program, qw(--configure --mtu=65520 --disable-host-loopback --enable-ipv6), @way,
      '--ready-fd', fileno $is_ready, '--exit-fd', fileno $exit, qw(--netns-type path), "/proc/$anchor/ns/net", 'eth0');
  }
  close $_ for $is_ready, $exit, $to;
  sysread($ready, my $word, 1) or give_up('tool', read_text($from));
  return ($child, $ends);
}

sub run_tool {
  my ($to, $keep, @words) = @_;
  open(STDOUT, '>&', $to) && open(STDERR, '>&', $to) && open(STDIN, '<', '/dev/null') or exit 127;
  my %is_kept = map { fileno($_) => 1 } @{$keep // []};
  # Not the lock, which would be held as long as the tool runs.
  if (open(my $lock, '<&=', 4)) { fcntl($lock, 2, 1) }
  $SIG{CHLD} = 'DEFAULT';
  no warnings 'exec';
  exec { $words[0] } @words or print STDERR "$words[0]: $!\n";
  exit 127;
}

# Returns the child that pasta left. Its name is another where a dynamic linker was told to load it.
sub living_child {
  opendir(my $processes, '/proc') or return;
  for my $id (grep { /^\d+$/ } readdir $processes) {
    open(my $stat, '<', "/proc/$id/stat") or next;
    my ($state, $parent) = split / /, (<$stat> // '') =~ s/^.*\) //sr;
    return $id if ($parent // 0) == $$ && $state ne 'Z';
  }
  return;
}

sub wait_for_end {
  while (1) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for grep { defined } $wakes, $addresses, $watch;
    my $count = select($ready, undef, undef, defined $watch ? undef : 1);
    if (defined $watch ? vec($ready, fileno $watch, 1) : !is_anchor($anchor, $started)) { end_tool(); return }
    next if $count <= 0;
    if (vec($ready, fileno $wakes, 1)) {
      sysread $wakes, my $bytes, 512;
      while ((my $ended = waitpid -1, 1) > 0) { return if $ended == $pid }
    }
    if (vec($ready, fileno $addresses, 1)) {
      my @new = new_addresses($addresses);
      inside_network($network, sub { forbid_addresses(@new) }) if @new;
    }
  }
}

sub end_tool {
  kill 'TERM', $pid;
  waitpid $pid, 0;
}
