// seatlock.h, as it is called from .NET. Names of functions and members are those of the header.

using System;
using System.Runtime.InteropServices;

namespace Seatlock
{
    /// <summary>Options of the library, freed when nothing refers to them.</summary>
    internal sealed class OptionsHandle : SafeHandle
    {
        public OptionsHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid { get { return handle == IntPtr.Zero; } }

        protected override bool ReleaseHandle()
        {
            Native.seatlock_options_free(handle);
            return true;
        }
    }

    /// <summary>A client of the library, closed when nothing refers to it.</summary>
    internal sealed class ClientHandle : SafeHandle
    {
        /// <summary>What a finalizer may take of the process's last seconds.</summary>
        private const uint FinalTimeout = 200;

        public ClientHandle() : base(IntPtr.Zero, true) { }

        public override bool IsInvalid { get { return handle == IntPtr.Zero; } }

        /// <summary>Closes it beside whatever other threads do with it: the library ends calls that
        /// sleep, and answers Closed to later ones. The handle itself lives until they
        /// return.</summary>
        internal Code Close(uint timeout)
        {
            return Native.seatlock_client_close(handle, timeout);
        }

        protected override bool ReleaseHandle()
        {
            // A client that is closed already answers so, and nothing else happens.
            Close(FinalTimeout);
            return true;
        }
    }

    internal static class Native
    {
        /// <summary>Name of the library's file: seatlock.dll, libseatlock.so, libseatlock.dylib.
        /// </summary>
        internal const string Library = "seatlock";
        /// <summary>Number of the interface that this was written for.</summary>
        internal const uint AbiVersion = 1;

        private const CallingConvention Cdecl = CallingConvention.Cdecl;

        [StructLayout(LayoutKind.Sequential)]
        internal struct Error
        {
            internal uint struct_size;
            internal Code code;
            internal uint http_status;
            internal uint reserved;
            internal long available_at;
            [MarshalAs(UnmanagedType.ByValArray, SizeConst = 512)]
            internal byte[] message;
            internal IntPtr buffer;
            internal UIntPtr capacity;
            internal UIntPtr needed;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Entitlement
        {
            internal uint struct_size;
            internal uint included;
            internal uint has_value;
            internal uint reserved;
            internal long value;
            internal long valid_until;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct License
        {
            internal uint struct_size;
            internal uint reserved;
            internal long subscription_end;
            internal long updates_until;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Credential
        {
            internal uint struct_size;
            internal CredentialKind kind;
            internal uint remembered;
            internal uint reserved;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Status
        {
            internal uint struct_size;
            internal LockState state;
            internal Code reason;
            internal uint warn;
            internal long valid_until;
            internal long next_try;
            internal long confirmed_at;
            internal ulong generation;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Event
        {
            internal uint struct_size;
            internal EventKind kind;
            internal ulong operation;
            internal Code code;
            internal uint http_status;
            internal long available_at;
            [MarshalAs(UnmanagedType.ByValArray, SizeConst = 512)]
            internal byte[] message;
            [MarshalAs(UnmanagedType.ByValArray, SizeConst = 480)]
            internal byte[] values;
        }

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern IntPtr seatlock_version();

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern uint seatlock_abi_version();

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern IntPtr seatlock_code_name(Code code);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern IntPtr seatlock_code_text(Code code);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern IntPtr seatlock_code_remedy(Code code);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern IntPtr seatlock_code_url(Code code);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern uint seatlock_code_count();

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_code_at(uint index, out Code code);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_machine_id(
            byte[] product, byte[] supplied, [Out] byte[] buffer, UIntPtr capacity,
            out UIntPtr needed, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_new(out OptionsHandle options);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern void seatlock_options_free(IntPtr options);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_product(
            OptionsHandle options, byte[] product, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_family(
            OptionsHandle options, byte[] family, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_server(
            OptionsHandle options, byte[] url, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_license_issuer(
            OptionsHandle options, byte[] issuer, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_add_root_key(
            OptionsHandle options, byte[] x, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_add_lease_key(
            OptionsHandle options, byte[] x, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_state_folder(
            OptionsHandle options, byte[] path, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_machine_id(
            OptionsHandle options, byte[] id, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_proxy(
            OptionsHandle options, byte[] url, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_add_ca_certificates(
            OptionsHandle options, byte[] pem, UIntPtr size, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_host(
            OptionsHandle options, byte[] name, byte[] version, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_catalogue(
            OptionsHandle options, byte[] json, UIntPtr size, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_utc_offset(
            OptionsHandle options, int minutes, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_plugin(
            OptionsHandle options, byte[] version, long released_at, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_terms(
            OptionsHandle options, byte[] version, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_auto_renew(
            OptionsHandle options, uint enabled, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_network_allowed(
            OptionsHandle options, uint allowed, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_account_folder(
            OptionsHandle options, byte[] path, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_oidc_issuer(
            OptionsHandle options, byte[] url, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_client_id(
            OptionsHandle options, byte[] id, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_client_secret(
            OptionsHandle options, byte[] secret, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_scopes(
            OptionsHandle options, byte[] scopes, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_options_set_audience(
            OptionsHandle options, byte[] audience, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_open(
            OptionsHandle options, out ClientHandle client, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_close(IntPtr client, uint timeout_ms);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_allow_network(
            ClientHandle client, uint allowed, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_set_proxy(
            ClientHandle client, byte[] url, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_add_ca_certificates(
            ClientHandle client, byte[] pem, UIntPtr size, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_text(
            ClientHandle client, Text which, [Out] byte[] buffer, UIntPtr capacity,
            out UIntPtr needed);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_status_value(
            ClientHandle client, byte[] name, [Out] byte[] buffer, UIntPtr capacity,
            out UIntPtr needed);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_code_text(
            ClientHandle client, Code code, [Out] byte[] buffer, UIntPtr capacity,
            out UIntPtr needed);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_code_remedy(
            ClientHandle client, Code code, [Out] byte[] buffer, UIntPtr capacity,
            out UIntPtr needed);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_report(
            ClientHandle client, [Out] byte[] buffer, UIntPtr capacity, out UIntPtr needed);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_entitlement(
            ClientHandle client, byte[] name, ref Entitlement entitlement);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_license(
            ClientHandle client, ref License license);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_credential(
            ClientHandle client, ref Credential credential);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_status(ClientHandle client, ref Status status);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_activate(
            ClientHandle client, byte[] token, Consents consent, out ulong operation,
            ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_ping(
            ClientHandle client, Intent intent, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_release(
            ClientHandle client, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_preflight(
            ClientHandle client, byte[] token, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_sign_in_browser(
            ClientHandle client, Consents consent, uint open, uint timeout_ms, out
            ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_sign_in_device(
            ClientHandle client, Consents consent, uint timeout_ms, out ulong
            operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_sign_out(
            ClientHandle client, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_forget(
            ClientHandle client, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_airgap_request(
            ClientHandle client, byte[] token, Consents consent, byte[] path, out
            ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_airgap_import(
            ClientHandle client, byte[] path, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_airgap_release(
            ClientHandle client, byte[] path, out ulong operation, ref Error error);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_cancel(ClientHandle client, ulong operation);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_next_event(
            ClientHandle client, uint timeout_ms, ref Event taken);

        [DllImport(Library, CallingConvention = Cdecl)]
        internal static extern Code seatlock_client_wait(
            ClientHandle client, ulong operation, uint timeout_ms, ref Event taken);

    }
}
