using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace Seatlock
{
    /// <summary>An open license of one product on one computer. Every member may be used on any
    /// thread, also while <see cref="Dispose"/> runs: then calls report Closed.
    ///
    /// A client that nobody disposes of is closed when it is collected, when its application domain
    /// is unloaded and when the process ends.</summary>
    public sealed class Client : IDisposable
    {
        /// <summary>How long disposing waits when the network hangs, in milliseconds.</summary>
        private const uint CloseTimeout = 2000;
        /// <summary>The same at the end of a process, which has little time.</summary>
        private const uint EndTimeout = 500;

        private static readonly uint StatusSize = (uint)Marshal.SizeOf(typeof(Native.Status));
        /// <summary>What is to be closed when the process ends.</summary>
        private static readonly HashSet<ClientHandle> open = new HashSet<ClientHandle>();

        private readonly ClientHandle handle;

        static Client()
        {
            AppDomain.CurrentDomain.ProcessExit += CloseAll;
            AppDomain.CurrentDomain.DomainUnload += CloseAll;
        }

        private static void CloseAll(object sender, EventArgs what)
        {
            ClientHandle[] left;
            lock (open)
            {
                left = new ClientHandle[open.Count];
                open.CopyTo(left);
            }
            foreach (ClientHandle one in left)
                one.Close(EndTimeout);
        }

        private Client(ClientHandle handle)
        {
            this.handle = handle;
            lock (open)
                open.Add(handle);
        }

        /// <summary>Opens a client: reads two small files, starts a thread, and never touches the
        /// network. The lock state is known when it returns.</summary>
        /// <exception cref="SeatlockException">Something required is not set or not valid, the
        /// library was not found, or the operating system refuses.</exception>
        public static Client Open(Options options)
        {
            if (options == null)
                throw new ArgumentNullException("options");
            Library.Check();
            using (OptionsHandle made = options.Make())
            using (Detail detail = new Detail())
            {
                ClientHandle handle;
                detail.Check(Native.seatlock_client_open(made, out handle, ref detail.Raw));
                return new Client(handle);
            }
        }

        /// <summary>Closes it, within two seconds even when the network hangs. Threads that sleep
        /// in NextEvent or Wait are told so.</summary>
        public void Dispose()
        {
            Close(TimeSpan.FromMilliseconds(CloseTimeout));
        }

        /// <summary>As <see cref="Dispose"/>, within another time. StillRunning when a call on
        /// another thread has not returned.</summary>
        public Code Close(TimeSpan timeout)
        {
            Code code = handle.Close(Milliseconds(timeout));
            Leave();
            GC.SuppressFinalize(this);
            return code;
        }

        /// <summary>Closes what nobody disposed of.</summary>
        ~Client()
        {
            if (handle == null)
                return; // it was not opened
            handle.Close(EndTimeout);
            Leave();
        }

        private void Leave()
        {
            lock (open)
                open.Remove(handle);
            handle.Dispose();
        }

        /// <summary>What is known of the license now. Never blocks; locked when there is no answer,
        /// such as after it was closed.</summary>
        public Status Status
        {
            get
            {
                Native.Status now = new Native.Status { struct_size = StatusSize };
                Code code;
                try
                {
                    code = Native.seatlock_client_status(handle, ref now);
                }
                catch (ObjectDisposedException)
                {
                    code = Code.Closed;
                }
                if (code < Code.Ok)
                    return new Status { State = LockState.Locked, Reason = code };
                return new Status
                {
                    State = now.state,
                    Reason = now.reason,
                    Warn = now.warn != 0,
                    ValidUntil = Convert.Time(now.valid_until),
                    NextTry = Convert.Time(now.next_try),
                    ConfirmedAt = Convert.Time(now.confirmed_at),
                    Generation = now.generation,
                };
            }
        }

        /// <summary>A text about the client, empty when there is none now.</summary>
        public string GetText(Text which)
        {
            return Read((byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                Native.seatlock_client_text(handle, which, buffer, capacity, out needed));
        }

        /// <summary>A value of what the status's text says, empty when there is none.</summary>
        public string GetStatusValue(string name)
        {
            byte[] bytes = Convert.Bytes(name);
            return Read((byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                Native.seatlock_client_status_value(handle, bytes, buffer, capacity, out needed));
        }

        /// <summary>What to tell a user of a code, in the language of the client.</summary>
        public string Message(Code code)
        {
            return Read((byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                Native.seatlock_client_code_text(handle, code, buffer, capacity, out needed));
        }

        /// <summary>What a user can do about a code, in the language of the client.</summary>
        public string Remedy(Code code)
        {
            return Read((byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                Native.seatlock_client_code_remedy(handle, code, buffer, capacity, out needed));
        }

        /// <summary>What support needs to know, without secrets. Looks at a few small files.
        /// </summary>
        public string Report()
        {
            return Read((byte[] buffer, UIntPtr capacity, out UIntPtr needed) =>
                Native.seatlock_client_report(handle, buffer, capacity, out needed));
        }

        /// <summary>What the license says of an entitlement, such as "cad". Not included when the
        /// license does not name it, when the client is locked, and when there is no answer.
        /// </summary>
        public Entitlement Entitlement(string name)
        {
            Native.Entitlement found = new Native.Entitlement();
            found.struct_size = (uint)Marshal.SizeOf(typeof(Native.Entitlement));
            byte[] bytes = Convert.Bytes(name);
            if (Guarded(() => Native.seatlock_client_entitlement(handle, bytes, ref found)) != Code.Ok)
                return new Entitlement();
            return new Entitlement
            {
                Included = found.included == 1,
                Value = found.has_value == 1 ? found.value : (long?)null,
                ValidUntil = Convert.Time(found.valid_until),
            };
        }

        /// <summary>What the license says of itself; null when there is none here.</summary>
        public License License
        {
            get
            {
                Native.License found = new Native.License();
                found.struct_size = (uint)Marshal.SizeOf(typeof(Native.License));
                if (Guarded(() => Native.seatlock_client_license(handle, ref found)) != Code.Ok)
                    return null;
                return new License
                {
                    Account = GetText(Text.Account),
                    Email = GetText(Text.Email),
                    SubscriptionEnd = Convert.Time(found.subscription_end),
                    UpdatesUntil = Convert.Time(found.updates_until),
                    Terms = GetText(Text.Terms),
                    Data = GetText(Text.Data),
                };
            }
        }

        /// <summary>What the client asks the server with; null when there is nothing.</summary>
        public Credential Credential
        {
            get
            {
                Native.Credential found = new Native.Credential();
                found.struct_size = (uint)Marshal.SizeOf(typeof(Native.Credential));
                if (Guarded(() => Native.seatlock_client_credential(handle, ref found)) != Code.Ok)
                    return null;
                return new Credential
                {
                    Kind = found.kind,
                    Remembered = found.remembered == 1,
                    Subject = GetText(Text.Subject),
                };
            }
        }

        /// <summary>Forbids or allows all use of the network. False when SEATLOCK_OFFLINE keeps it
        /// off.</summary>
        public bool AllowNetwork(bool allowed)
        {
            using (Detail detail = new Detail())
                return Guarded(() => Native.seatlock_client_allow_network(
                    handle, allowed ? 1u : 0u, ref detail.Raw)) == Code.Ok;
        }

        /// <summary>Another proxy from the next request on: "" for none, and null for what
        /// environment and operating system say.</summary>
        public void SetProxy(string url)
        {
            byte[] bytes = Convert.Bytes(url);
            using (Detail detail = new Detail())
                detail.Check(Guarded(() =>
                    Native.seatlock_client_set_proxy(handle, bytes, ref detail.Raw)));
        }

        /// <summary>Trusts further certificate authorities, in PEM, from the next request on.
        /// </summary>
        public void AddCaCertificates(string pem)
        {
            byte[] bytes = Convert.Bytes(pem);
            using (Detail detail = new Detail())
                detail.Check(Guarded(() => Native.seatlock_client_add_ca_certificates(
                    handle, bytes, (UIntPtr)(bytes.Length - 1), ref detail.Raw)));
        }

        /// <summary>Submits a token. Answers the number of the operation, whose end is an event, as
        /// all of these do; what is refused at once is an exception.</summary>
        public ulong Activate(string token, Consents consent)
        {
            byte[] bytes = Convert.Bytes(token);
            try
            {
                return Start((out ulong number, Detail detail) => Native.seatlock_client_activate(
                    handle, bytes, consent, out number, ref detail.Raw));
            }
            finally
            {
                Array.Clear(bytes, 0, bytes.Length);
            }
        }

        /// <summary>Tells the server that this machine uses its seat.</summary>
        public ulong Ping(Intent intent)
        {
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_ping(handle, intent, out number, ref detail.Raw));
        }

        /// <summary>Gives the seat back, and forgets the token here.</summary>
        public ulong Release()
        {
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_release(handle, out number, ref detail.Raw));
        }

        /// <summary>Asks what activating would say; null for the token in use.</summary>
        public ulong Preflight(string token = null)
        {
            byte[] bytes = Convert.Bytes(token);
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_preflight(handle, bytes, out number, ref detail.Raw));
        }

        /// <summary>Lets a person sign in with a browser of this computer; zero for five minutes.
        /// </summary>
        public ulong SignInBrowser(Consents consent, bool open, TimeSpan timeout)
        {
            return Start((out ulong number, Detail detail) => Native.seatlock_client_sign_in_browser(
                handle, consent, open ? 1u : 0u, Milliseconds(timeout), out number,
                ref detail.Raw));
        }

        /// <summary>Lets a person sign in at another device; zero for five minutes.</summary>
        public ulong SignInDevice(Consents consent, TimeSpan timeout)
        {
            return Start((out ulong number, Detail detail) => Native.seatlock_client_sign_in_device(
                handle, consent, Milliseconds(timeout), out number, ref detail.Raw));
        }

        /// <summary>Forgets sign-in and license here, and tells the issuer.</summary>
        public ulong SignOut()
        {
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_sign_out(handle, out number, ref detail.Raw));
        }

        /// <summary>Forgets token and license here. The seat stays bound on the server.</summary>
        public ulong Forget()
        {
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_forget(handle, out number, ref detail.Raw));
        }

        /// <summary>Writes a request file, for a machine without a network.</summary>
        public ulong AirgapRequest(string token, Consents consent, string path)
        {
            byte[] bytes = Convert.Bytes(token), file = Convert.Bytes(path);
            return Start((out ulong number, Detail detail) => Native.seatlock_client_airgap_request(
                handle, bytes, consent, file, out number, ref detail.Raw));
        }

        /// <summary>Takes the lease file that came back.</summary>
        public ulong AirgapImport(string path)
        {
            byte[] file = Convert.Bytes(path);
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_airgap_import(handle, file, out number, ref detail.Raw));
        }

        /// <summary>Gives the license up, and writes a file that confirms it.</summary>
        public ulong AirgapRelease(string path)
        {
            byte[] file = Convert.Bytes(path);
            return Start((out ulong number, Detail detail) =>
                Native.seatlock_client_airgap_release(handle, file, out number, ref detail.Raw));
        }

        /// <summary>Cancels an operation; false when there is no such operation any more.</summary>
        public bool Cancel(ulong operation)
        {
            return Guarded(() => Native.seatlock_client_cancel(handle, operation)) == Code.Ok;
        }

        /// <summary>Hands every event to a function from now on, on a thread of its own, until the
        /// client is closed: let it post to your user interface. What it throws ends the process,
        /// as on any thread. A client that listens is not collected: dispose of it.
        ///
        /// That is a thread of .NET, which sleeps in <see cref="NextEvent"/>. A thread of the
        /// library would call into the runtime with its signals blocked, by which Mono and Unity
        /// stop threads while they collect.</summary>
        public void Listen(Action<Event> function)
        {
            if (function == null)
                throw new ArgumentNullException("function");
            Thread thread = new Thread(delegate()
            {
                try
                {
                    for (;;)
                    {
                        Event next = NextEvent(TimeSpan.FromDays(1));
                        if (next != null)
                            function(next);
                    }
                }
                catch (SeatlockException ended)
                {
                    if (ended.Code != Code.Closed)
                        throw;
                }
            });
            thread.IsBackground = true;
            thread.Name = "seatlock events";
            thread.Start();
        }

        /// <summary>Takes every event that waits, oldest first, and never blocks: for a timer of
        /// the host's user interface.</summary>
        public IEnumerable<Event> TakeEvents()
        {
            for (Event next = NextEvent(TimeSpan.Zero); next != null; next = NextEvent(TimeSpan.Zero))
                yield return next;
        }

        /// <summary>Takes the oldest event; null when none came in time.</summary>
        /// <exception cref="SeatlockException">None will ever come: the client is closed.
        /// </exception>
        public Event NextEvent(TimeSpan timeout)
        {
            Native.Event taken = NewEvent();
            uint time = Milliseconds(timeout);
            Code code = Guarded(() => Native.seatlock_client_next_event(handle, time, ref taken));
            if (code < Code.Ok)
                throw new SeatlockException(code, Library.Message(code), null);
            return code == Code.Ok ? Value(taken) : null;
        }

        /// <summary>Waits until an operation has ended: for programs without a window.</summary>
        /// <exception cref="SeatlockException">It has failed; Pending when time ran out.
        /// </exception>
        public Event Wait(ulong operation, TimeSpan timeout)
        {
            Native.Event end = NewEvent();
            uint time = Milliseconds(timeout);
            Code code = Guarded(() => Native.seatlock_client_wait(handle, operation, time, ref end));
            if (end.kind == 0) // no event was handed over
                throw new SeatlockException(code, Library.Message(code), null);
            Event ended = Value(end);
            if (code < Code.Ok)
                throw new SeatlockException(code, ended.Message, end.http_status, end.available_at);
            return ended;
        }

        private delegate Code Starter(out ulong number, Detail detail);

        private ulong Start(Starter starter)
        {
            using (Detail detail = new Detail())
            {
                ulong number = 0;
                detail.Check(Guarded(() => starter(out number, detail)));
                return number;
            }
        }

        private static string Read(Convert.Ask ask)
        {
            string text = "";
            Guarded(() => Convert.Read(ask, out text));
            return text;
        }

        /// <summary>A handle that is gone refuses a call before the library can.</summary>
        private static Code Guarded(Func<Code> call)
        {
            try
            {
                return call();
            }
            catch (ObjectDisposedException)
            {
                return Code.Closed;
            }
        }

        private static Native.Event NewEvent()
        {
            Native.Event made = new Native.Event();
            made.struct_size = (uint)Marshal.SizeOf(typeof(Native.Event));
            made.message = new byte[512];
            made.values = new byte[480];
            return made;
        }

        private Event Value(Native.Event from)
        {
            string message = Convert.Text(from.message, 0);
            // Where some may be left out, the whole is asked for, as long as no later one was taken.
            if (Array.IndexOf(from.message, (byte)0) + 8 >= from.message.Length)
            {
                string whole = GetText(Text.Event);
                if (whole.Length > message.Length
                    && string.CompareOrdinal(whole, 0, message, 0, 100) == 0)
                    message = whole;
            }
            Dictionary<string, string> values = new Dictionary<string, string>();
            for (int at = 0; at < from.values.Length && from.values[at] != 0;)
            {
                int value = Array.IndexOf(from.values, (byte)0, at) + 1;
                if (value == 0)
                    break;
                values[Convert.Text(from.values, at)] = Convert.Text(from.values, value);
                int end = Array.IndexOf(from.values, (byte)0, value);
                at = end < 0 ? from.values.Length : end + 1;
            }
            return new Event
            {
                Kind = from.kind,
                Operation = from.operation,
                Code = from.code,
                HttpStatus = (int)from.http_status,
                AvailableAt = Convert.Time(from.available_at),
                Message = message,
                Values = values,
            };
        }

        private static uint Milliseconds(TimeSpan time)
        {
            return (uint)Math.Min(Math.Max(0, time.TotalMilliseconds), uint.MaxValue);
        }
    }
}
