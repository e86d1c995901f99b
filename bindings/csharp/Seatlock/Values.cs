// What the library answers, as values.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Seatlock
{
    /// <summary>What is known of the license at a moment.</summary>
    public struct Status
    {
        /// <summary>Whether there is a license.</summary>
        public LockState State { get; internal set; }
        /// <summary>Why it is locked, or Ok, OkOffline, OkWarn.</summary>
        public Code Reason { get; internal set; }
        /// <summary>Whether the user should be told that the offline period ends soon.</summary>
        public bool Warn { get; internal set; }
        /// <summary>When the license ends unless it is renewed; null when locked.</summary>
        public DateTimeOffset? ValidUntil { get; internal set; }
        /// <summary>When locked: from when on a new try makes sense. Else: when the next ping is
        /// due. Null when unknown.</summary>
        public DateTimeOffset? NextTry { get; internal set; }
        /// <summary>The last signed answer of the server; null for never.</summary>
        public DateTimeOffset? ConfirmedAt { get; internal set; }
        /// <summary>While it is the same as before, nothing has changed but the time.</summary>
        public ulong Generation { get; internal set; }
        /// <summary>Whether the plug-in is to work.</summary>
        public bool Licensed
        {
            get { return State == LockState.Unlocked || State == LockState.Grace; }
        }
    }

    /// <summary>What the license says of an entitlement.</summary>
    public struct Entitlement
    {
        /// <summary>Whether the license includes it now.</summary>
        public bool Included { get; internal set; }
        /// <summary>Its value, such as a limit; null when it has none.</summary>
        public long? Value { get; internal set; }
        /// <summary>From when on it is no longer included; null when it lasts as long as the
        /// license.</summary>
        public DateTimeOffset? ValidUntil { get; internal set; }
    }

    /// <summary>What the license says of itself. Texts are empty where there are none.</summary>
    public sealed class License
    {
        internal License() { }

        /// <summary>Name of the account that holds it.</summary>
        public string Account { get; internal set; }
        /// <summary>E-mail address of whoever has the seat.</summary>
        public string Email { get; internal set; }
        /// <summary>When the subscription ends; null when it has no end.</summary>
        public DateTimeOffset? SubscriptionEnd { get; internal set; }
        /// <summary>Versions of the plug-in that were released later are not included; null: all
        /// are.</summary>
        public DateTimeOffset? UpdatesUntil { get; internal set; }
        /// <summary>Version of the terms that were accepted last.</summary>
        public string Terms { get; internal set; }
        /// <summary>The vendor's own data, a JSON object; empty while it is locked.</summary>
        public string Data { get; internal set; }
    }

    /// <summary>What the client asks the server with.</summary>
    public sealed class Credential
    {
        internal Credential() { }

        /// <summary>What kind it is.</summary>
        public CredentialKind Kind { get; internal set; }
        /// <summary>Whether it is kept here for the next start of the host.</summary>
        public bool Remembered { get; internal set; }
        /// <summary>Who is signed in; empty with a token.</summary>
        public string Subject { get; internal set; }
    }

    /// <summary>Something that happened.</summary>
    public sealed class Event
    {
        internal Event() { }

        /// <summary>What kind of thing. Ignore kinds that you do not know.</summary>
        public EventKind Kind { get; internal set; }
        /// <summary>The operation that ended, 0 for other kinds.</summary>
        public ulong Operation { get; internal set; }
        /// <summary>How it ended, what changed, or what to notice.</summary>
        public Code Code { get; internal set; }
        /// <summary>HTTP status that was received, 0 for none.</summary>
        public int HttpStatus { get; internal set; }
        /// <summary>From when on a new try makes sense; null when unknown.</summary>
        public DateTimeOffset? AvailableAt { get; internal set; }
        /// <summary>Sentences for a person. Never holds a token.</summary>
        public string Message { get; internal set; }
        /// <summary>What the message is about, by names such as "date" and "machine".</summary>
        public IDictionary<string, string> Values { get; internal set; }
        /// <summary>Whether it ended well.</summary>
        public bool Succeeded { get { return Code >= Code.Ok; } }
    }

    /// <summary>A call that was refused, or an operation that failed, in words for a person.
    /// </summary>
    public sealed class SeatlockException : Exception
    {
        internal SeatlockException(Code code, string message, Exception cause)
            : base(message, cause)
        {
            Code = code;
        }

        internal SeatlockException(Code code, string message, uint http, long availableAt)
            : base(message)
        {
            Code = code;
            HttpStatus = (int)http;
            AvailableAt = Convert.Time(availableAt);
        }

        /// <summary>Why.</summary>
        public Code Code { get; private set; }
        /// <summary>HTTP status that was received, 0 for none.</summary>
        public int HttpStatus { get; private set; }
        /// <summary>From when on a new try makes sense; null when unknown.</summary>
        public DateTimeOffset? AvailableAt { get; private set; }
        /// <summary>What a user can do about it; empty when the library was not found.</summary>
        public string Remedy { get { return Library.Found ? Library.Remedy(Code) : ""; } }
        /// <summary>Address of the page that explains it; empty when the library was not found.
        /// </summary>
        public string Url { get { return Library.Found ? Library.Url(Code) : ""; } }
    }

    internal static class Convert
    {
        private static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        internal static DateTimeOffset? Time(long seconds)
        {
            if (seconds == 0)
                return null;
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        }

        /// <summary>As C takes it: UTF-8, with a NUL.</summary>
        internal static byte[] Bytes(string text)
        {
            if (text == null)
                return null;
            if (text.IndexOf('\0') >= 0)
                throw new ArgumentException("A text for the license library contains a NUL.");
            try
            {
                byte[] bytes = new byte[Utf8.GetByteCount(text) + 1];
                Utf8.GetBytes(text, 0, text.Length, bytes, 0);
                return bytes;
            }
            catch (EncoderFallbackException)
            {
                throw new ArgumentException("A text for the license library is not Unicode.");
            }
        }

        internal static string Text(IntPtr text)
        {
            int length = 0;
            while (Marshal.ReadByte(text, length) != 0)
                length++;
            byte[] bytes = new byte[length];
            Marshal.Copy(text, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }

        internal static string Text(byte[] bytes, int start)
        {
            int end = Array.IndexOf(bytes, (byte)0, start);
            return Encoding.UTF8.GetString(bytes, start, (end < 0 ? bytes.Length : end) - start);
        }

        internal delegate Code Ask(byte[] buffer, UIntPtr capacity, out UIntPtr needed);

        /// <summary>Asks until the text fits: it may grow between two calls.</summary>
        internal static Code Read(Ask ask, out string text)
        {
            byte[] buffer = new byte[256];
            for (;;)
            {
                UIntPtr needed;
                Code code = ask(buffer, (UIntPtr)buffer.Length, out needed);
                if (code == Code.BufferTooSmall)
                {
                    buffer = new byte[checked((int)needed)];
                    continue;
                }
                text = code == Code.Ok ? Text(buffer, 0) : "";
                return code;
            }
        }
    }

    /// <summary>Where a call reports why it was refused, with room for a message that names a long
    /// path.</summary>
    internal sealed class Detail : IDisposable
    {
        private const int Room = 4096;

        internal Native.Error Raw;

        internal Detail()
        {
            Raw.struct_size = (uint)Marshal.SizeOf(typeof(Native.Error));
            Raw.buffer = Marshal.AllocHGlobal(Room);
            Raw.capacity = (UIntPtr)Room;
        }

        internal void Check(Code code)
        {
            if (code >= Code.Ok)
                return;
            string message = Library.Message(code);
            if ((ulong)Raw.needed > Room)
                message = Convert.Text(Raw.message, 0);
            else if ((ulong)Raw.needed > 0)
                message = Convert.Text(Raw.buffer);
            throw new SeatlockException(code, message, Raw.http_status, Raw.available_at);
        }

        public void Dispose()
        {
            Marshal.FreeHGlobal(Raw.buffer);
            Raw.buffer = IntPtr.Zero;
        }
    }
}
