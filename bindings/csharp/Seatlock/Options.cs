using System;
using System.Collections.Generic;

namespace Seatlock
{
    /// <summary>How a client is to be opened. What stays null is not set: seatlock.h says what that
    /// means. Product, server and a key are required.</summary>
    public sealed class Options
    {
        /// <summary>Nothing set.</summary>
        public Options()
        {
            RootKeys = new List<string>();
            LeaseKeys = new List<string>();
            NetworkAllowed = true;
        }

        /// <summary>The product, such as "com.example.bridge".</summary>
        public string Product { get; set; }
        /// <summary>The family of the product, such as "com.example".</summary>
        public string Family { get; set; }
        /// <summary>The server's base address, such as "https://license.example.com".</summary>
        public string Server { get; set; }
        /// <summary>The name that leases must carry, when it is not the server's address.</summary>
        public string LicenseIssuer { get; set; }
        /// <summary>Root keys to pin, as `seatlock-server init` prints them.</summary>
        public IList<string> RootKeys { get; private set; }
        /// <summary>Lease keys to pin, for vendors who do not rotate.</summary>
        public IList<string> LeaseKeys { get; private set; }
        /// <summary>Folder below which state is kept, an absolute path.</summary>
        public string StateFolder { get; set; }
        /// <summary>The machine's identity, for containers and render farms.</summary>
        public string MachineId { get; set; }
        /// <summary>The proxy's address, or "" for no proxy at all.</summary>
        public string Proxy { get; set; }
        /// <summary>Further certificate authorities, in PEM.</summary>
        public string CaCertificates { get; set; }
        /// <summary>The host application, such as "revit".</summary>
        public string HostName { get; set; }
        /// <summary>Its version, such as "2026".</summary>
        public string HostVersion { get; set; }
        /// <summary>The texts of another language, as one of the files in `catalogues`.</summary>
        public string Catalogue { get; set; }
        /// <summary>How far messages are ahead of UTC.</summary>
        public TimeSpan? UtcOffset { get; set; }
        /// <summary>The plug-in's version, such as "2.4.1".</summary>
        public string PluginVersion { get; set; }
        /// <summary>When that was released; required with a version.</summary>
        public DateTimeOffset PluginReleasedAt { get; set; }
        /// <summary>Version of the license terms that the host shows.</summary>
        public string Terms { get; set; }
        /// <summary>Whether the client pings by itself when its lease is due.</summary>
        public bool AutoRenew { get; set; }
        /// <summary>Whether the network may be used from the first moment on; it may.</summary>
        public bool NetworkAllowed { get; set; }
        /// <summary>A folder with rpd_account.json or credentials.json, an absolute path.</summary>
        public string AccountFolder { get; set; }
        /// <summary>The OpenID provider at which people sign in.</summary>
        public string OidcIssuer { get; set; }
        /// <summary>What it calls this product, or this machine.</summary>
        public string ClientId { get; set; }
        /// <summary>Secret of a machine that signs in by itself.</summary>
        public string ClientSecret { get; set; }
        /// <summary>Scopes to ask for, separated by spaces.</summary>
        public string Scopes { get; set; }
        /// <summary>For whom access tokens are to be.</summary>
        public string Audience { get; set; }
        private delegate Code Setter(OptionsHandle options, byte[] value, ref Native.Error error);

        internal OptionsHandle Make()
        {
            OptionsHandle made;
            using (Detail detail = new Detail())
            {
                detail.Check(Native.seatlock_options_new(out made));
                try
                {
                    Set(made, detail);
                }
                catch
                {
                    made.Dispose();
                    throw;
                }
            }
            return made;
        }

        private void Set(OptionsHandle to, Detail detail)
        {
            Text(to, detail, Native.seatlock_options_set_product, Product);
            Text(to, detail, Native.seatlock_options_set_family, Family);
            Text(to, detail, Native.seatlock_options_set_server, Server);
            Text(to, detail, Native.seatlock_options_set_license_issuer, LicenseIssuer);
            foreach (string key in RootKeys)
                Text(to, detail, Native.seatlock_options_add_root_key, key);
            foreach (string key in LeaseKeys)
                Text(to, detail, Native.seatlock_options_add_lease_key, key);
            Text(to, detail, Native.seatlock_options_set_state_folder, StateFolder);
            Text(to, detail, Native.seatlock_options_set_machine_id, MachineId);
            Text(to, detail, Native.seatlock_options_set_proxy, Proxy);
            Text(to, detail, Native.seatlock_options_set_terms, Terms);
            Text(to, detail, Native.seatlock_options_set_account_folder, AccountFolder);
            Text(to, detail, Native.seatlock_options_set_oidc_issuer, OidcIssuer);
            Text(to, detail, Native.seatlock_options_set_client_id, ClientId);
            Text(to, detail, Native.seatlock_options_set_client_secret, ClientSecret);
            Text(to, detail, Native.seatlock_options_set_scopes, Scopes);
            Text(to, detail, Native.seatlock_options_set_audience, Audience);
            if (CaCertificates != null)
            {
                byte[] pem = Convert.Bytes(CaCertificates);
                detail.Check(Native.seatlock_options_add_ca_certificates(
                    to, pem, (UIntPtr)(pem.Length - 1), ref detail.Raw));
            }
            if (Catalogue != null)
            {
                byte[] json = Convert.Bytes(Catalogue);
                detail.Check(Native.seatlock_options_set_catalogue(
                    to, json, (UIntPtr)(json.Length - 1), ref detail.Raw));
            }
            if (HostName != null)
                detail.Check(Native.seatlock_options_set_host(
                    to, Convert.Bytes(HostName), Convert.Bytes(HostVersion), ref detail.Raw));
            if (UtcOffset != null)
                detail.Check(Native.seatlock_options_set_utc_offset(
                    to, (int)UtcOffset.Value.TotalMinutes, ref detail.Raw));
            if (PluginVersion != null)
                detail.Check(Native.seatlock_options_set_plugin(
                    to, Convert.Bytes(PluginVersion), PluginReleasedAt.ToUnixTimeSeconds(),
                    ref detail.Raw));
            detail.Check(Native.seatlock_options_set_auto_renew(
                to, AutoRenew ? 1u : 0u, ref detail.Raw));
            detail.Check(Native.seatlock_options_set_network_allowed(
                to, NetworkAllowed ? 1u : 0u, ref detail.Raw));
        }

        private static void Text(OptionsHandle to, Detail detail, Setter setter, string value)
        {
            if (value != null)
                detail.Check(setter(to, Convert.Bytes(value), ref detail.Raw));
        }
    }
}
